/** The typed client: one function per route of the table, in browser and in Node. */

import type { z } from "zod";
import { routes, type Routes } from "./routes.ts";
import type { AnswerOf, NoFields, RequestOf, Route } from "./route.ts";
import { errorBody } from "./values.ts";

/** A request that was answered with an error, or not at all (`status` 0, code `client.unreachable`). */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;
  readonly code: string;
  readonly values: Readonly<Record<string, unknown>>;

  constructor(
    status: number,
    code: string,
    message: string,
    values: Readonly<Record<string, unknown>> = {},
    cause?: unknown,
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.status = status;
    this.code = code;
    this.values = values;
  }
}

export type CallOptions = { readonly signal?: AbortSignal };

type Call<Declared> =
  NoFields extends RequestOf<Declared>
    ? (request?: RequestOf<Declared>, options?: CallOptions) => Promise<AnswerOf<Declared>>
    : (request: RequestOf<Declared>, options?: CallOptions) => Promise<AnswerOf<Declared>>;

/** `client.customers.list({ query: { limit: 20 } })`. Rejects with {@link ApiError} only (or the abort reason). */
export type Client = {
  readonly [Area in keyof Routes]: { readonly [Name in keyof Routes[Area]]: Call<Routes[Area][Name]> };
};

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export type ClientOptions = {
  readonly fetch: Fetch;
  /** Empty in the console: same origin. */
  readonly baseUrl: string;
  /** Sent with every request, such as `authorization`, or `cookie` outside browsers. */
  readonly headers?: () => Readonly<Record<string, string>>;
};

export function createClient(options: ClientOptions): Client {
  const areas = Object.entries(routes).map(([area, group]) => [
    area,
    Object.fromEntries(
      Object.entries<Route>(group).map(([name, declared]) => [name, callOf(declared, options)]),
    ),
  ]);
  // The mapped type cannot be followed through Object.fromEntries; routes and Client have the same keys by construction.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return Object.fromEntries(areas) as Client;
}

type LooseRequest = { readonly params?: object; readonly query?: object; readonly body?: unknown };

function callOf(declared: Route, options: ClientOptions) {
  return async (request: LooseRequest = {}, call: CallOptions = {}): Promise<unknown> => {
    const response = await send(declared, request, call, options);
    if (!response.ok) throw await errorOf(response);
    if (declared.output === "nothing") return undefined;
    if (typeof declared.output === "string") return response;
    return readJson(declared.output, response);
  };
}

async function send(
  declared: Route,
  request: LooseRequest,
  call: CallOptions,
  options: ClientOptions,
): Promise<Response> {
  const headers: Record<string, string> = { accept: "application/json", ...options.headers?.() };
  if (declared.body !== undefined) headers["content-type"] = "application/json";
  try {
    return await options.fetch(`${options.baseUrl}${urlOf(declared, request)}`, {
      method: declared.method,
      headers,
      credentials: "same-origin",
      ...(declared.body === undefined ? {} : { body: JSON.stringify(request.body) }),
      ...(call.signal === undefined ? {} : { signal: call.signal }),
    });
  } catch (cause) {
    if (call.signal?.aborted === true) throw cause;
    throw new ApiError(
      0,
      "client.unreachable",
      "Cannot reach the server; check the connection and try again",
      {},
      cause,
    );
  }
}

/** The path with its parameters and query filled in. */
export function urlOf(declared: Route, request: LooseRequest): string {
  const params = new Map(Object.entries(request.params ?? {}));
  const path = declared.path.replace(/:([A-Za-z]+)/g, (_, name: string) =>
    encodeURIComponent(String(params.get(name))),
  );
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(request.query ?? {}))
    if (value !== undefined) query.set(name, String(value));
  return query.size === 0 ? path : `${path}?${query.toString()}`;
}

async function readJson(schema: z.ZodType, response: Response): Promise<unknown> {
  const parsed = schema.safeParse(await response.json().catch(() => undefined));
  if (parsed.success) return parsed.data;
  throw new ApiError(
    response.status,
    "client.not-understood",
    "Cannot read the server's answer; reload to get the same version as the server",
    {},
    parsed.error,
  );
}

async function errorOf(response: Response): Promise<ApiError> {
  const parsed = errorBody.safeParse(await response.json().catch(() => undefined));
  if (!parsed.success)
    return new ApiError(
      response.status,
      "client.not-understood",
      `The server answered ${response.status} without saying why; try again`,
    );
  const { code, message, values } = parsed.data.error;
  return new ApiError(response.status, code, message, values);
}
