/** One WebSocket to the server as a queue of checked messages. */

import { TLSSocket } from "node:tls";
import {
  AGENT_HEARTBEAT_MS,
  AGENT_PATH,
  type AgentMessage,
  EXPORTER_LABEL,
  EXPORTER_SIZE_BYTES,
  serverMessage,
  type ServerMessage,
} from "@mainstay/contract";
import { messageOf } from "@mainstay/kit";
import { WebSocket } from "ws";
import { agentErrors } from "../errors.ts";

export type Channel = {
  readonly address: string;
  /** Keying material of this TLS connection. */
  readonly exporter: Uint8Array;
  /** Queued by the socket; lost if the connection ends. */
  send(message: AgentMessage): void;
  /** The next message, in order. Rejects with why the channel ended; one caller at a time. */
  next(): Promise<ServerMessage>;
  close(): void;
};

/** The desired state is the largest; a larger message is no message of ours. */
const MESSAGE_SIZE_BYTES_MAX = 4 * 1024 * 1024;
const CONNECT_TIMEOUT_MS = 15_000;

/** A server that sends this many messages unasked means harm. */
const WAITING_MAX = 10_000;

/** A dead connection is noticed after this many heartbeats without a sign of life. */
const SILENT_BEATS_MAX = 3;

/** Opens the WebSocket `/agent` at `https://host:port`. Rejects with `agent.server-unreachable`. */
export async function openChannel(address: string, signal: AbortSignal): Promise<Channel> {
  signal.throwIfAborted();
  const url = new URL(AGENT_PATH, address);
  if (url.protocol !== "https:")
    throw agentErrors.error(
      "server-unreachable",
      `Cannot connect to ${address}: found "${url.protocol}", wanted "https:"`,
    );
  url.protocol = "wss:";
  // The certificate proves nothing here; the handshake's signatures over the channel do.
  const socket = new WebSocket(url, {
    rejectUnauthorized: false,
    // Before 1.3 an exporter with an empty context is another than one without.
    minVersion: "TLSv1.3",
    handshakeTimeout: CONNECT_TIMEOUT_MS,
    maxPayload: MESSAGE_SIZE_BYTES_MAX,
    perMessageDeflate: false,
  });
  const exporter = await opened(socket, address, signal);
  return createChannel(socket, address, exporter, signal);
}

function opened(socket: WebSocket, address: string, signal: AbortSignal): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    let exporter: Uint8Array | undefined;
    const abort = (): void => socket.terminate();
    signal.addEventListener("abort", abort, { once: true });
    socket.once("upgrade", ({ socket: raw }) => {
      if (raw instanceof TLSSocket)
        exporter = raw.exportKeyingMaterial(EXPORTER_SIZE_BYTES, EXPORTER_LABEL, Buffer.alloc(0));
    });
    socket.once("open", () => {
      signal.removeEventListener("abort", abort);
      if (exporter === undefined) reject(unreachable(address, "the connection is not TLS"));
      else resolve(exporter);
    });
    socket.on("error", (cause) => {
      signal.removeEventListener("abort", abort);
      reject(unreachable(address, messageOf(cause), cause));
    });
  });
}

function createChannel(
  socket: WebSocket,
  address: string,
  exporter: Uint8Array,
  signal: AbortSignal,
): Channel {
  const waiting: ServerMessage[] = [];
  let wanted: PromiseWithResolvers<ServerMessage> | undefined;
  let ended: unknown;
  const end = (cause: unknown): void => {
    if (ended !== undefined) return;
    ended = cause;
    stopBeating();
    signal.removeEventListener("abort", abort);
    socket.terminate();
    wanted?.reject(cause);
    wanted = undefined;
  };
  const abort = (): void => end(signal.reason);
  const stopBeating = watchLife(socket, () => end(unreachable(address, "it has been silent for too long")));
  signal.addEventListener("abort", abort, { once: true });
  socket.on("close", () => end(unreachable(address, "the connection was closed")));
  socket.on("error", (cause) => end(unreachable(address, messageOf(cause), cause)));
  socket.on("message", (data: Buffer, isBinary) => {
    const message = isBinary ? undefined : parseMessage(data);
    if (message === undefined || waiting.length >= WAITING_MAX) return end(nonsense(address));
    if (wanted === undefined) waiting.push(message);
    else wanted.resolve(message);
    wanted = undefined;
  });
  return {
    address,
    exporter,
    send: (message) => {
      if (ended === undefined) socket.send(JSON.stringify(message));
    },
    next: async () => {
      const message = waiting.shift();
      if (message !== undefined) return message;
      if (ended !== undefined) throw ended;
      wanted = Promise.withResolvers();
      return await wanted.promise;
    },
    close: () => end(unreachable(address, "the agent closed the connection")),
  };
}

/** Pings; calls `onDeath` once nothing has come back for several beats. The returned function ends it. */
function watchLife(socket: WebSocket, onDeath: () => void): () => void {
  let silentBeats = 0;
  const alive = (): void => {
    silentBeats = 0;
  };
  socket.on("pong", alive);
  socket.on("message", alive);
  const timer = setInterval(() => {
    silentBeats += 1;
    if (silentBeats > SILENT_BEATS_MAX) onDeath();
    else socket.ping();
  }, AGENT_HEARTBEAT_MS);
  return () => clearInterval(timer);
}

function parseMessage(data: Buffer): ServerMessage | undefined {
  try {
    return serverMessage.safeParse(JSON.parse(data.toString("utf8"))).data;
  } catch {
    return undefined;
  }
}

function unreachable(address: string, found: string, cause?: unknown): Error {
  return agentErrors.error(
    "server-unreachable",
    `Cannot reach the server at ${address}: ${found}; check address, network and firewall`,
    { cause, values: { address } },
  );
}

function nonsense(address: string): Error {
  return agentErrors.error(
    "server-nonsense",
    `Cannot understand the server at ${address}: found a message the protocol lacks; bring both to one version`,
    { values: { address } },
  );
}
