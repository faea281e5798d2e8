/** The HTTPS server: routes of the contract, the console's files, WebSockets, and mounts that answer by themselves. */

import { existsSync } from "node:fs";
import type { IncomingMessage, RequestListener } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import cookies from "@fastify/cookie";
import serveStatic from "@fastify/static";
import { fastify, type FastifyInstance, type FastifyReply } from "fastify";
import { ZodError } from "zod";
import { allRoutes } from "@mainstay/contract";
import { MainstayError, messageOf, newUuid, systemCodeOf } from "@mainstay/kit";
import type { Authenticators } from "./callers.ts";
import { answerOf, notFound, requestErrors, serverErrors } from "./errors.ts";
import type { AreaHandlers, RawMount, SocketMount } from "./handlers.ts";
import { registerRoutes, type NamedRoute } from "./routes.ts";
import { securityHeaders } from "./security.ts";
import { createSockets } from "./sockets.ts";

const BODY_SIZE_BYTES_MAX = 1024 * 1024;
const STATUS_CLIENT_MIN = 400;
const STATUS_SERVER_MIN = 500;

export type Listen = { readonly host: string; readonly port: number };

export type HttpOptions = {
  readonly tls: { readonly key: string; readonly certificate: string };
  /** The whole table of the contract, unless a test serves a part of it. */
  readonly routes?: readonly NamedRoute[];
  readonly handlers: readonly AreaHandlers[];
  readonly authenticators: Authenticators;
  readonly rawMounts: readonly RawMount[];
  readonly sockets: readonly SocketMount[];
  /** Folder of the built console; undefined: only the API. */
  readonly consoleFolder: string | undefined;
  readonly log: (text: string) => void;
};

export type HttpServer = {
  /** Resolves with the address that was taken; port 0 takes a free one. */
  listen(wanted: Listen): Promise<Listen>;
  /** Ends open connections. */
  close(): Promise<void>;
};

/** Throws unless every route has its handler. */
export async function createHttpServer(options: HttpOptions): Promise<HttpServer> {
  const state: { server?: Server } = {};
  const app = fastify({
    bodyLimit: BODY_SIZE_BYTES_MAX,
    genReqId: () => newUuid(),
    forceCloseConnections: true,
    serverFactory: (handler) => {
      state.server = createServer(
        // TLS 1.3 only: its exporter binds the agents' handshake to this very connection.
        { key: options.tls.key, cert: options.tls.certificate, minVersion: "TLSv1.3" },
        withRawMounts(options.rawMounts, handler),
      );
      return state.server;
    },
  });
  await app.register(cookies);
  app.addHook("onRequest", async (_, reply) => {
    void reply.headers(securityHeaders);
  });
  answerErrors(app, options.log);
  registerRoutes(app, options.routes ?? allRoutes(), options.handlers, options.authenticators);
  await serveConsole(app, options.consoleFolder);
  const sockets = createSockets(options.sockets, options.authenticators, options.log);
  app.server.on("upgrade", (request, stream, head) => sockets.upgrade(request, stream, head));
  return {
    listen: (wanted) => listen(app, wanted),
    close: async () => {
      sockets.close();
      await app.close();
    },
  };
}

function withRawMounts(mounts: readonly RawMount[], handler: RequestListener): RequestListener {
  return (request, response) => {
    const mount = mounts.find(({ prefix }) => request.url?.startsWith(prefix) ?? false);
    if (mount === undefined) handler(request, response);
    else mount.handle(request, response);
  };
}

function answerErrors(app: FastifyInstance, log: (text: string) => void): void {
  app.setErrorHandler((cause, request, reply) => {
    const { status, body } = answerOf(typedError(cause), request.id);
    if (status >= STATUS_SERVER_MIN)
      log(`${request.id} ${request.method} ${request.url}: ${detailsOf(cause)}`);
    return reply.code(status).type("application/json").send(body);
  });
}

function detailsOf(cause: unknown): string {
  if (cause instanceof ZodError)
    return `the answer is not as the contract wants it: ${JSON.stringify(cause.issues.slice(0, 3))}`;
  return cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
}

/** Fastify's own refusals (bad JSON, too large, wrong type of content) in our words. */
function typedError(cause: unknown): unknown {
  if (cause instanceof MainstayError || !(cause instanceof Error) || !("statusCode" in cause)) return cause;
  const status = cause.statusCode;
  if (status === 413) {
    return requestErrors.error(
      "too-large",
      `Cannot take this request: its body is larger than ${BODY_SIZE_BYTES_MAX} bytes; send less`,
    );
  }
  if (status === 503)
    return serverErrors.error("stopping", "Cannot answer: the server is going down; try again shortly");
  if (typeof status !== "number" || status < STATUS_CLIENT_MIN || status >= STATUS_SERVER_MIN) return cause;
  return requestErrors.error("invalid", `Cannot take this request: ${cause.message}`, {
    values: { issues: [] },
  });
}

/** Files of the built console; any other path that a page could have answers its index, so that reloading works. */
async function serveConsole(app: FastifyInstance, folder: string | undefined): Promise<void> {
  const hasConsole = folder !== undefined && existsSync(join(folder, "index.html"));
  if (hasConsole) {
    await app.register(serveStatic, {
      root: folder,
      wildcard: false,
      index: false,
      cacheControl: false,
      setHeaders: cacheByName,
    });
  }
  app.setNotFoundHandler((request, reply) => {
    if (hasConsole && isPage(request.raw))
      return reply.header("cache-control", "no-cache").sendFile("index.html");
    const { status, body } = answerOf(notFound("page", request.url), request.id);
    return reply.code(status).type("application/json").send(body);
  });
}

function isPage({ method, url = "/" }: IncomingMessage): boolean {
  const path = url.split("?")[0] ?? "/";
  return method === "GET" && !/^\/(api|peer|restic|assets)\//.test(path) && !/\.[a-z0-9]+$/i.test(path);
}

/** Vite names files under assets/ by their content. */
function cacheByName(reply: FastifyReply, path: string): void {
  void reply.header(
    "cache-control",
    path.includes("/assets/") ? "public, max-age=31536000, immutable" : "no-cache",
  );
}

async function listen(app: FastifyInstance, wanted: Listen): Promise<Listen> {
  try {
    await app.listen({ host: wanted.host, port: wanted.port });
  } catch (cause) {
    const reason = systemCodeOf(cause) === "EADDRINUSE" ? "another program listens there" : messageOf(cause);
    throw requestErrors.error(
      "conflict",
      `Cannot listen on ${wanted.host}:${wanted.port}: ${reason}; choose another --listen`,
      { cause },
    );
  }
  // A TCP server's address is never a path or null once it listens.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  const { address, port } = app.server.address() as AddressInfo;
  return { host: address, port };
}
