/** One agent's socket: parses what comes, lets it through one message after another, ends it when it falls silent. */

import type { IncomingMessage } from "node:http";
import type { RawData, WebSocket } from "ws";
import { AGENT_HEARTBEAT_MS, agentMessage, type AgentMessage } from "@mainstay/contract";
import { messageOf } from "@mainstay/kit";
import type { AgentDevice } from "@mainstay/platform";
import { checkProof, greet } from "./greeting.ts";
import { exporterOf, refusal } from "./handshake.ts";
import { takeFromDevice } from "./messages.ts";
import { pushWanted } from "./push.ts";
import { refuse, send, serialQueue, type AgentParts, type Session } from "./session.ts";

const HANDSHAKE_MS_MAX = 15_000;
const SILENCE_MS_MAX = 3 * AGENT_HEARTBEAT_MS;
/** Messages that wait for the one before: an agent that keeps to the outbox window never has so many. */
const WAITING_MAX = 256;
const CLOSE_DONE = 1000;
const CLOSE_FAILED = 1011;

export type AgentConnection = {
  readonly device: AgentDevice;
  readonly address: string;
  /** When it last said anything, by the monotonic clock. */
  lastHeardMs(): number;
  /** Sends state, desired state and work that are new to the agent; after the messages before. */
  refresh(): void;
  /** Tells it that another connection took its place, and closes. */
  supersede(): void;
};

/** Which connection is a device's: the newest that proved its key. */
export type ConnectionBoard = {
  claim(connection: AgentConnection): Promise<void>;
  release(connection: AgentConnection): Promise<void>;
};

/** Takes the open socket over. */
export function serveAgent(
  socket: WebSocket,
  request: IncomingMessage,
  parts: AgentParts,
  board: ConnectionBoard,
): void {
  const session = openSession(socket, request, parts);
  const silence = watchSilence(session);
  socket.on("message", (data, isBinary) => {
    session.lastHeardMs = parts.platform.clock.monotonicMs();
    silence.rearm();
    const message = isBinary ? undefined : parseMessage(data);
    if (message === undefined) {
      return refuse(
        session,
        refusal("protocol", "Cannot understand this message; bring agent and server to one version"),
      );
    }
    if (session.queue.size() >= WAITING_MAX) return socket.terminate();
    session.queue.add(() => take(session, message, board));
  });
}

function openSession(socket: WebSocket, request: IncomingMessage, parts: AgentParts): Session {
  const address = request.socket.remoteAddress ?? "unknown";
  const nowMs = parts.platform.clock.monotonicMs();
  const queue = serialQueue((cause) => {
    parts.platform.log(`agent at ${address}: ${messageOf(cause)}`);
    // Nothing was acknowledged: the agent comes back and sends it again.
    socket.close(CLOSE_FAILED, "the server failed on a message");
  });
  return {
    parts,
    socket,
    exporter: exporterOf(request),
    address,
    queue,
    phase: { kind: "greeting" },
    sentState: "none",
    sentVersion: undefined,
    lastHeardMs: nowMs,
    lastSightingMs: nowMs,
    clockOffsetMs: 0,
  };
}

async function take(session: Session, message: AgentMessage, board: ConnectionBoard): Promise<void> {
  const { phase, socket } = session;
  // What a refused agent had sent meanwhile.
  if (socket.readyState !== socket.OPEN) return;
  if (message.type === "hello" && phase.kind === "greeting") return greet(session, message);
  if (message.type === "proof" && phase.kind === "challenged") {
    return checkProof(session, phase, message, (device) => claim(session, device, board));
  }
  if (message.type === "hello" || message.type === "proof" || phase.kind !== "admitted") {
    return refuse(
      session,
      refusal("protocol", `Cannot take "${message.type}" now; wanted the handshake in its order`),
    );
  }
  return takeFromDevice(session, phase.device, message);
}

async function claim(session: Session, device: AgentDevice, board: ConnectionBoard): Promise<void> {
  const { socket, parts } = session;
  const connection: AgentConnection = {
    device,
    address: session.address,
    lastHeardMs: () => session.lastHeardMs,
    refresh: () => session.queue.add(() => pushWanted(session, device)),
    supersede: () => {
      send(session, { type: "superseded" });
      socket.close(CLOSE_DONE, "superseded");
    },
  };
  socket.once("close", () => {
    board
      .release(connection)
      .catch((cause: unknown) => parts.platform.log(`agent of "${device.name}": ${messageOf(cause)}`));
  });
  await board.claim(connection);
}

function parseMessage(data: RawData): AgentMessage | undefined {
  try {
    return agentMessage.safeParse(JSON.parse(textOf(data))).data;
  } catch {
    return undefined;
  }
}

function textOf(data: RawData): string {
  if (Array.isArray(data)) return Buffer.concat(data).toString("utf8");
  return (data instanceof ArrayBuffer ? Buffer.from(data) : data).toString("utf8");
}

function watchSilence(session: Session): { rearm(): void } {
  const { socket } = session;
  const patienceMs = (): number => (session.phase.kind === "admitted" ? SILENCE_MS_MAX : HANDSHAKE_MS_MAX);
  let timer = setTimeout(() => socket.terminate(), patienceMs());
  socket.once("close", () => clearTimeout(timer));
  return {
    rearm: () => {
      clearTimeout(timer);
      timer = setTimeout(() => socket.terminate(), patienceMs());
    },
  };
}
