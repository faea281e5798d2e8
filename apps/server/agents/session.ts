/** What is known of one agent's connection while it lasts, and how it is spoken to. */

import type { WebSocket } from "ws";
import type { AgentHello, ServerMessage } from "@mainstay/contract";
import type { AgentDevice, AgentHooks, Platform } from "@mainstay/platform";
import type { Directory } from "@mainstay/directory";
import type { Challenge, Refusal } from "./handshake.ts";

const CLOSE_POLICY = 1008;

export type AgentParts = {
  readonly platform: Platform;
  readonly directory: Directory;
  readonly hooks: readonly AgentHooks[];
};

export type Phase =
  | { readonly kind: "greeting" }
  | { readonly kind: "challenged"; readonly hello: AgentHello; readonly challenge: Challenge }
  | { readonly kind: "admitted"; readonly device: AgentDevice };

/** Changed only by tasks of its own queue, which run one at a time; `lastHeardMs` by the socket. */
export type Session = {
  readonly parts: AgentParts;
  readonly socket: WebSocket;
  readonly exporter: Uint8Array;
  readonly address: string;
  readonly queue: SerialQueue;
  phase: Phase;
  sentState: "none" | "pending" | "active";
  sentVersion: string | undefined;
  /** By the monotonic clock. */
  lastHeardMs: number;
  lastSightingMs: number;
  /** The device's clock minus ours. */
  clockOffsetMs: number;
};

export function send({ socket }: Session, message: ServerMessage): void {
  socket.send(JSON.stringify(message));
}

/** Says why and closes. */
export function refuse(session: Session, message: Refusal): void {
  send(session, message);
  session.socket.close(CLOSE_POLICY, message.code);
}

export type SerialQueue = { add(task: () => Promise<void>): void; size(): number };

/** One task after another, in the order they came; after a failure the rest is dropped. */
export function serialQueue(onFailure: (cause: unknown) => void): SerialQueue {
  let last: Promise<void> = Promise.resolve();
  let size = 0;
  let state: "working" | "failed" = "working";
  return {
    add: (task) => {
      size += 1;
      last = last
        .then(() => (state === "working" ? task() : undefined))
        .catch((cause: unknown) => {
          state = "failed";
          onFailure(cause);
        })
        .finally(() => {
          size -= 1;
        });
    },
    size: () => size,
  };
}
