/** Reaching a unix socket that another process is about to make. */

import { createConnection, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { messageOf, systemCodeOf } from "@mainstay/kit";
import { qemuErrors } from "./errors.ts";

const RETRY_PAUSE_MS = 10;
/** `sun_path` holds 108 bytes with its final zero (unix(7)). */
export const SOCKET_PATH_BYTES_MAX = 107;

export type ConnectOptions = {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Ends the attempts early, with the reason: for example that the process that should listen has ended. */
  readonly giveUp?: () => Error | undefined;
};

/** Connects, trying again while the socket is missing or nobody listens yet. Rejects with `qemu.connect-failed`. */
export async function connectSocket(path: string, options: ConnectOptions): Promise<Socket> {
  const deadline = performance.now() + options.timeoutMs;
  for (;;) {
    options.signal?.throwIfAborted();
    try {
      return await connectOnce(path);
    } catch (cause) {
      const gaveUp = options.giveUp?.();
      if (gaveUp !== undefined) throw gaveUp;
      if (!isNotYet(cause) || performance.now() > deadline) throw connectFailed(path, cause);
    }
    await sleep(RETRY_PAUSE_MS, undefined, { signal: options.signal });
  }
}

function connectOnce(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(path);
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.off("error", reject);
      resolve(socket);
    });
  });
}

function isNotYet(cause: unknown): boolean {
  return ["ENOENT", "ECONNREFUSED", "EAGAIN"].includes(systemCodeOf(cause) ?? "");
}

function connectFailed(path: string, cause: unknown): Error {
  const message = `Cannot reach the machine's socket ${path}: ${messageOf(cause)}; check that the machine runs and that you may read the socket`;
  return qemuErrors.error("connect-failed", message, { cause, values: { path } });
}
