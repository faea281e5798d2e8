/** Text that a guest writes (serial console, firmware messages): followed, searched, kept up to a limit. */

import { createWriteStream } from "node:fs";
import type { Socket } from "node:net";
import { KIB, MIB } from "@mainstay/kit";
import { settleWithin, type Waiting } from "./deadline.ts";
import { qemuErrors } from "./errors.ts";

/** A guest may write for ever: this much of it reaches the log file. */
const LOG_BYTES_MAX = 16 * MIB;
/** This much is held for `tail` and for patterns, which may therefore span no more. */
const TAIL_CHARS_MAX = 64 * KIB;
const PATTERN_TIMEOUT_MS = 120_000;

export type GuestText = {
  /** The last 64 Ki characters. */
  tail(): string;
  /** Calls `listener` with each new piece, as it comes; the result ends it. */
  onText(listener: (piece: string) => void): () => void;
  /** Resolves with the match as soon as `pattern` is in the tail (also if it already is). Rejects `qemu.timed-out`, `.closed`. */
  waitFor(pattern: RegExp, waiting?: Waiting): Promise<RegExpExecArray>;
  /** Types into the guest's end of the line, where there is one. */
  write(text: string): void;
  close(): void;
};

export function followGuestText(socket: Socket, logFile?: string): GuestText {
  const log = logFile === undefined ? undefined : createWriteStream(logFile, { mode: 0o600 });
  // A full disk must not end a recovery that only logs: the tail in memory goes on.
  log?.on("error", () => {});
  const listeners = new Set<(piece: string) => void>();
  const ended = new AbortController();
  const decoder = new TextDecoder();
  let tail = "";
  let logged = 0;
  socket.on("data", (bytes: Buffer) => {
    const room = Math.max(0, LOG_BYTES_MAX - logged);
    if (room > 0) log?.write(bytes.subarray(0, room));
    logged += bytes.byteLength;
    const piece = decoder.decode(bytes, { stream: true });
    tail = (tail + piece).slice(-TAIL_CHARS_MAX);
    for (const listener of [...listeners]) listener(piece);
  });
  socket.on("error", () => {});
  socket.on("close", () => {
    log?.end();
    ended.abort();
  });
  const onText = (listener: (piece: string) => void): (() => void) => {
    listeners.add(listener);
    return () => void listeners.delete(listener);
  };
  return {
    tail: () => tail,
    onText,
    waitFor: (pattern, waiting = {}) => {
      const sought = new RegExp(pattern.source, pattern.flags.replaceAll(/[gy]/g, ""));
      return settleWithin<RegExpExecArray>(`find ${pattern} in the guest's text`, waiting.timeoutMs ?? PATTERN_TIMEOUT_MS, waiting.signal, (resolve, reject) => {
        const look = (): void => {
          const match = sought.exec(tail);
          if (match !== null) resolve(match);
        };
        const stop = onText(look);
        const fail = (): void => reject(qemuErrors.error("closed", `Cannot find ${pattern} in the guest's text: the machine is gone`));
        ended.signal.addEventListener("abort", fail, { once: true });
        look();
        if (ended.signal.aborted) fail();
        return () => {
          stop();
          ended.signal.removeEventListener("abort", fail);
        };
      });
    },
    write: (text) => void socket.write(text),
    close: () => void socket.destroy(),
  };
}
