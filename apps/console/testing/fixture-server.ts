/**
 * A small server for looking at the console without the real one: fixtures, checked against the contract both ways.
 *
 * For development and tests only; nothing in the bundle imports it.
 */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { readFile } from "node:fs/promises";
import { connect } from "node:net";
import { extname, join, normalize } from "node:path";
import { allRoutes, errorCodes, type ErrorCode, type Role, type Route } from "@mainstay/contract";
import { WebSocketServer, type WebSocket } from "ws";
import { z } from "zod";
import { ANSWERS, type FixtureState } from "./answers.ts";

export type FixtureServerOptions = {
  /** The built console. */
  readonly directory: string;
  readonly content?: "full" | "empty";
  readonly role?: Role;
  readonly signedIn?: boolean;
  readonly port?: number;
  /** Unix socket of a VNC server, bridged to every live screen. */
  readonly screenSocket?: string;
  /** PNG answered as every photograph. */
  readonly photograph?: string;
};

export type FixtureServer = AsyncDisposable & { readonly address: string };

export async function startFixtureServer(options: FixtureServerOptions): Promise<FixtureServer> {
  const state: FixtureState = {
    content: options.content ?? "full",
    role: options.role ?? "owner",
    signedIn: options.signedIn ?? true,
  };
  const server = createServer((request, response) => {
    void answer(request, response, options, state).catch((cause: unknown) => {
      send(response, 500, { error: { code: "server.defect", message: String(cause), values: {} } });
    });
  });
  const sockets = serveSockets(server, options);
  await new Promise<void>((resolve) => server.listen(options.port ?? 0, "127.0.0.1", resolve));
  const bound = server.address();
  const port = typeof bound === "object" && bound !== null ? bound.port : 0;
  return {
    address: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets.clients) socket.terminate();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  options: FixtureServerOptions,
  state: FixtureState,
) {
  const url = new URL(request.url ?? "/", "http://127.0.0.1");
  if (!url.pathname.startsWith("/api/")) return sendFile(response, options.directory, url.pathname);
  const found = findRoute(request.method ?? "GET", url.pathname);
  if (found === undefined) return fail(response, "request.not-found", `Cannot find ${url.pathname}`);
  const { route, name, params } = found;
  if (route.access !== "public" && !state.signedIn)
    return fail(response, "access.not-signed-in", "Sign in to go on");
  if (route.output === "image/png") return sendPhotograph(response, options);
  const given = ANSWERS[name];
  if (given === undefined)
    return fail(response, "request.not-found", `The fixture server has no answer for ${name}`);
  const body = route.body === undefined ? undefined : route.body.parse(JSON.parse(await textOf(request)));
  const out = given({ params, query: Object.fromEntries(url.searchParams), body }, state);
  if (out === undefined)
    return fail(response, "request.not-found", "No such thing, or nothing that you may see");
  if (route.output === "nothing") return send(response, 204, undefined);
  // A fixture that drifted from the contract is a failure here, not a surprise in the console.
  if (!(route.output instanceof z.ZodType)) return send(response, 200, out);
  return send(response, 200, route.output.parse(out));
}

type Found = {
  readonly name: string;
  readonly route: Route;
  readonly params: Readonly<Record<string, string>>;
};

function findRoute(method: string, path: string): Found | undefined {
  for (const { name, route } of allRoutes()) {
    if (route.method !== method) continue;
    const pattern = new RegExp(`^${route.path.replace(/:([A-Za-z]+)/g, "(?<$1>[^/]+)")}$`);
    const match = pattern.exec(path);
    if (match !== null) return { name, route, params: { ...match.groups } };
  }
  return undefined;
}

function serveSockets(server: Server, options: FixtureServerOptions): WebSocketServer {
  const sockets = new WebSocketServer({ noServer: true });
  server.on("upgrade", (request, socket, head) => {
    sockets.handleUpgrade(request, socket, head, (opened) => {
      if (request.url === "/api/events")
        opened.send(JSON.stringify({ type: "hello", at: new Date().toISOString() }));
      else if (options.screenSocket !== undefined) bridge(opened, options.screenSocket);
      else opened.close();
    });
  });
  return sockets;
}

function bridge(opened: WebSocket, path: string): void {
  const screen = connect(path);
  screen.on("data", (bytes) => opened.send(bytes));
  screen.on("error", () => opened.close());
  screen.on("close", () => opened.close());
  opened.on("message", (bytes: Buffer) => screen.write(bytes));
  opened.on("close", () => screen.destroy());
}

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".woff2": "font/woff2",
};

/** As strict as the real server's, so that a violation is seen here first. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

async function sendFile(response: ServerResponse, directory: string, path: string): Promise<void> {
  const file = extname(path) === "" ? "index.html" : normalize(path).slice(1);
  const bytes = await readFile(join(directory, file)).catch(() => undefined);
  if (bytes === undefined || file.startsWith(".."))
    return fail(response, "request.not-found", `Cannot find ${path}`);
  response.writeHead(200, {
    "content-type": TYPES[extname(file)] ?? "application/octet-stream",
    "content-security-policy": POLICY,
  });
  response.end(bytes);
}

async function sendPhotograph(response: ServerResponse, options: FixtureServerOptions): Promise<void> {
  if (options.photograph === undefined)
    return fail(response, "request.not-found", "No photograph was given to the fixture server");
  const bytes = await readFile(options.photograph);
  response.writeHead(200, { "content-type": "image/png" });
  response.end(bytes);
}

function fail(response: ServerResponse, code: ErrorCode, message: string): void {
  send(response, errorCodes[code].status, { error: { code, message, values: {} } });
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(body === undefined ? undefined : JSON.stringify(body));
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request.setEncoding("utf8")) text += String(chunk);
  return text;
}
