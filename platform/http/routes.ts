/** Puts every route of the contract's table onto fastify with its handler. */

import { Readable } from "node:stream";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { z } from "zod";
import type { Route } from "@mainstay/contract";
import { assert } from "@mainstay/kit";
import { callerFor, SESSION_COOKIE, sessionToken, visitOf, type Authenticators } from "./callers.ts";
import { requestErrors } from "./errors.ts";
import type { AreaHandlers, RawBody, SessionCookie } from "./handlers.ts";
import { checkOrigin } from "./security.ts";

export type NamedRoute = { readonly name: string; readonly route: Route };

type LooseHandler = (request: object) => Promise<unknown>;

/** Throws when a route has no handler or a handler no route: the table and the code must say the same. */
export function registerRoutes(
  app: FastifyInstance,
  table: readonly NamedRoute[],
  handlers: readonly AreaHandlers[],
  authenticators: Authenticators,
): void {
  const byName = handlersByName(handlers);
  for (const { name, route } of table) {
    const handler = byName.get(name);
    assert(handler !== undefined, `route ${name} has a handler`);
    byName.delete(name);
    app.route({
      method: route.method,
      url: route.path,
      handler: (request, reply) => answer(route, handler, authenticators, request, reply),
    });
  }
  assert(byName.size === 0, `every handler has a route; ${[...byName.keys()].join(", ")} has none`);
}

function handlersByName(handlers: readonly AreaHandlers[]): Map<string, LooseHandler> {
  const byName = new Map<string, LooseHandler>();
  for (const areas of handlers) {
    for (const [area, group] of Object.entries(areas)) {
      for (const [name, handler] of Object.entries(group ?? {})) {
        assert(!byName.has(`${area}.${name}`), `route ${area}.${name} has one handler only`);
        // The request it takes is parsed by the same route that types it.
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion
        byName.set(`${area}.${name}`, handler as LooseHandler);
      }
    }
  }
  return byName;
}

async function answer(
  route: Route,
  handler: LooseHandler,
  authenticators: Authenticators,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<unknown> {
  if (route.method !== "GET" && route.access !== "peer") checkOrigin(request.raw);
  const caller = await callerFor(route.access, request.raw, authenticators);
  const goneAway = new AbortController();
  reply.raw.once("close", () => goneAway.abort(new Error("the client went away")));
  const result = await handler({
    ...parsedParts(route, request),
    caller,
    visit: visitOf(request.raw),
    cookie: cookieOf(request, reply),
    signal: goneAway.signal,
  });
  void reply.header("cache-control", "no-store");
  return sendResult(route, result, reply);
}

function parsedParts(route: Route, request: FastifyRequest): object {
  return {
    ...(route.params === undefined ? {} : { params: parsePart("params", route.params, request.params) }),
    ...(route.query === undefined ? {} : { query: parsePart("query", route.query, request.query) }),
    ...(route.body === undefined ? {} : { body: parsePart("body", route.body, request.body) }),
  };
}

function parsePart(place: "params" | "query" | "body", schema: z.ZodType, value: unknown): unknown {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map((issue) => ({
    path: [place, ...issue.path].join("."),
    message: issue.message,
  }));
  const [first] = issues;
  throw requestErrors.error(
    "invalid",
    `Cannot take this request: ${first?.path ?? place}: ${first?.message ?? "not as wanted"}`,
    {
      values: { issues },
    },
  );
}

function cookieOf(request: FastifyRequest, reply: FastifyReply): SessionCookie {
  const attributes = { path: "/", httpOnly: true, secure: true, sameSite: "strict" } as const;
  return {
    token: sessionToken(request.raw),
    set: (token, expires) => void reply.setCookie(SESSION_COOKIE, token, { ...attributes, expires }),
    clear: () => void reply.clearCookie(SESSION_COOKIE, attributes),
  };
}

function sendResult(route: Route, result: unknown, reply: FastifyReply): unknown {
  if (route.output === "nothing") return reply.code(204).send();
  if (typeof route.output === "string") return sendRaw(route.output, result, reply);
  // Parsed, not only checked: a field that the contract does not name is not sent.
  const body = route.output.parse(result);
  return reply.code(200).type("application/json").send(JSON.stringify(body));
}

function sendRaw(contentType: string, result: unknown, reply: FastifyReply): unknown {
  // Only handlers whose route has this kind of output come here, and their type is RawBody.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  const { body, fileName } = result as RawBody;
  if (fileName !== undefined)
    void reply.header(
      "content-disposition",
      `attachment; filename="${fileName.replaceAll(/[^\w.-]/g, "_")}"`,
    );
  return reply
    .code(200)
    .type(contentType)
    .send(body instanceof Readable ? body : Buffer.from(body));
}
