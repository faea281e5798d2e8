/** For tests: a server over some handlers, and a client with a cookie jar that speaks to it over real HTTPS. */

import { Agent, request } from "node:https";
import type { IncomingMessage } from "node:http";
import { allRoutes, createClient, type Client, type Fetch } from "@mainstay/contract";
import { accessHandlers, authenticate } from "./access/handlers.ts";
import type { Authenticators } from "./http/callers.ts";
import type { AreaHandlers } from "./http/handlers.ts";
import { createHttpServer, type HttpOptions } from "./http/server.ts";
import { makeSetUpLink } from "./access/links.ts";
import type { Platform } from "./platform.ts";

const ORIGIN_FREE = new Agent({ rejectUnauthorized: false });

export const TEST_OWNER = { email: "owner@example.test", password: "correct horse battery staple" } as const;

export type TestServer = {
  readonly address: string;
  /** A client with a cookie jar of its own: one browser. */
  visitor(headers?: Readonly<Record<string, string>>): Client;
  /** The first owner, signed in. Call once. */
  owner(): Promise<Client>;
  close(): Promise<void>;
};

/** Serves the access routes and `handlers`; only the routes of the areas that are given. */
export async function serveTest(
  platform: Platform,
  extra: Partial<HttpOptions> & { readonly modules?: readonly AreaHandlers[] } = {},
): Promise<TestServer> {
  const { identity, keys } = platform;
  const access = accessHandlers({
    ...platform,
    wrapper: keys.wrapper,
    serverName: identity.name,
    version: identity.version,
  });
  const handlers = [access, ...(extra.modules ?? [])];
  const areas = new Set(handlers.flatMap((group) => Object.keys(group)));
  const authenticators: Authenticators = {
    user: (token) => authenticate(platform, token),
    peer: async () => undefined,
  };
  const http = await createHttpServer({
    tls: identity.certificate,
    routes: allRoutes().filter(({ name }) => areas.has(name.split(".")[0] ?? "")),
    handlers,
    authenticators,
    rawMounts: [],
    sockets: [],
    consoleFolder: undefined,
    log: platform.log,
    ...extra,
  });
  const { port } = await http.listen({ host: "127.0.0.1", port: 0 });
  const address = `https://127.0.0.1:${port}`;
  const visitor = (headers: Readonly<Record<string, string>> = {}) =>
    createClient({ fetch: jarFetch(), baseUrl: address, headers: () => headers });
  return { address, visitor, owner: () => setUpOwner(platform, visitor()), close: () => http.close() };
}

async function setUpOwner({ database, clock }: Platform, client: Client): Promise<Client> {
  const link = await database.asSystem("test set-up", (tx) => makeSetUpLink(tx, clock));
  const token = link?.path.split("#")[1] ?? "";
  await client.setUp.complete({ body: { token, providerName: "Provider", name: "Owner", ...TEST_OWNER } });
  return client;
}

/** Remembers cookies as a browser does, and trusts any certificate: the address is loopback. */
export function jarFetch(): Fetch {
  const jar = new Map<string, string>();
  return async (url, init) => {
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join("; ");
    const headers = {
      ...Object.fromEntries(new Headers(init.headers)),
      ...(cookie === "" ? {} : { cookie }),
    };
    const answer = await sendRequest(
      url,
      init.method ?? "GET",
      headers,
      typeof init.body === "string" ? init.body : undefined,
    );
    for (const line of answer.message.headers["set-cookie"] ?? []) keepCookie(jar, line);
    const responseHeaders = Object.entries(answer.message.headers).map(([name, value]): [string, string] => [
      name,
      String(value),
    ]);
    const status = answer.message.statusCode ?? 0;
    return new Response(status === 204 ? null : new Uint8Array(answer.body), {
      status,
      headers: responseHeaders,
    });
  };
}

function keepCookie(jar: Map<string, string>, line: string): void {
  const [pair = ""] = line.split(";");
  const [name = "", value = ""] = pair.split("=");
  if (value === "" || /expires=Thu, 01 Jan 1970/i.test(line)) jar.delete(name);
  else jar.set(name, value);
}

function sendRequest(
  url: string,
  method: string,
  headers: Readonly<Record<string, string>>,
  body: string | undefined,
): Promise<{ readonly message: IncomingMessage; readonly body: Buffer }> {
  return new Promise((done, fail) => {
    const outgoing = request(url, { method, headers, agent: ORIGIN_FREE }, (message) => {
      const chunks: Buffer[] = [];
      message.on("data", (chunk: Buffer) => chunks.push(chunk));
      message.once("end", () => done({ message, body: Buffer.concat(chunks) }));
      message.once("error", fail);
    });
    outgoing.once("error", fail);
    outgoing.end(body);
  });
}
