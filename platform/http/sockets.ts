/** WebSockets: finds the mount of an upgrade, checks origin and caller, hands the open socket over. */

import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocketServer, type WebSocket } from "ws";
import { MainstayError, messageOf } from "@mainstay/kit";
import { callerFor, type Authenticators } from "./callers.ts";
import { answerOf, notFound } from "./errors.ts";
import type { SocketMount } from "./handlers.ts";
import { checkOrigin } from "./security.ts";

const CLOSE_GOING_AWAY = 1001;
const CLOSE_FAILED = 1011;
/** RFC 6455, 5.5: the payload of a close frame, less its two bytes of code. */
const REASON_SIZE_BYTES_MAX = 123;
/** A peer that answers no ping for two of these is gone: a laptop that went to sleep says no goodbye. */
const PING_MS = 30_000;

export type Sockets = {
  upgrade(request: IncomingMessage, stream: Duplex, head: Buffer): void;
  close(): void;
};

export function createSockets(
  mounts: readonly SocketMount[],
  authenticators: Authenticators,
  log: (text: string) => void,
): Sockets {
  const servers = mounts.map((mount) => ({
    mount,
    pattern: patternOf(mount.path),
    server: new WebSocketServer({
      noServer: true,
      maxPayload: mount.messageSizeBytesMax,
      perMessageDeflate: false,
    }),
  }));
  const open = async (request: IncomingMessage, stream: Duplex, head: Buffer): Promise<void> => {
    const path = (request.url ?? "/").split("?")[0] ?? "/";
    const found = servers.find(({ pattern }) => pattern.test(path));
    if (found === undefined) throw notFound("socket", path);
    const { mount, server } = found;
    checkOrigin(request);
    const caller = await callerFor(mount.access, request, authenticators);
    const params = { ...found.pattern.exec(path)?.groups };
    server.handleUpgrade(request, stream, head, (socket) => {
      keepAlive(socket);
      socket.on("error", () => socket.terminate());
      Promise.resolve(mount.open(socket, { params, caller, incoming: request })).catch((cause: unknown) => {
        if (!(cause instanceof MainstayError)) log(`socket ${mount.path}: ${messageOf(cause)}`);
        socket.close(CLOSE_FAILED, closeReason(cause));
      });
    });
  };
  return {
    upgrade: (request, stream, head) => {
      stream.on("error", () => stream.destroy());
      open(request, stream, head).catch((cause: unknown) => refuse(stream, cause));
    },
    close: () => {
      for (const { server } of servers) for (const socket of server.clients) closeSoon(socket);
    },
  };
}

/** `/a/:id/b` → the pattern that names its parts. */
function patternOf(path: string): RegExp {
  const parts = path
    .split("/")
    .map((part) =>
      part.startsWith(":") ? `(?<${part.slice(1)}>[^/]+)` : part.replaceAll(/[^\w-]/g, "\\$&"),
    );
  return new RegExp(`^${parts.join("/")}$`);
}

function keepAlive(socket: WebSocket): void {
  let answered = true;
  socket.on("pong", () => {
    answered = true;
  });
  const timer = setInterval(() => {
    if (!answered) return socket.terminate();
    answered = false;
    socket.ping();
  }, PING_MS);
  timer.unref();
  socket.once("close", () => clearInterval(timer));
}

function closeSoon(socket: WebSocket): void {
  socket.close(CLOSE_GOING_AWAY, "the server stops");
  setTimeout(() => socket.terminate(), 1_000).unref();
}

function closeReason(cause: unknown): string {
  const reason = cause instanceof MainstayError ? cause.message : "the server failed on this socket";
  return Buffer.from(reason)
    .subarray(0, REASON_SIZE_BYTES_MAX)
    .toString("utf8")
    .replace(/\uFFFD+$/, "");
}

function refuse(stream: Duplex, cause: unknown): void {
  const { status, body } = answerOf(cause, "upgrade");
  const text = JSON.stringify(body);
  const head = [
    `HTTP/1.1 ${status} Refused`,
    "connection: close",
    "content-type: application/json",
    `content-length: ${Buffer.byteLength(text)}`,
  ];
  stream.end(`${head.join("\r\n")}\r\n\r\n${text}`);
}
