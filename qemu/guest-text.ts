/** Text that a guest writes (serial console, firmware messages): followed, searched, kept up to a limit. */

import { createWriteStream } from "node:fs";
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { KIB, MIB } from "@mainstay/kit";
import { settleWithin, type Waiting } from "./deadline.ts";
import { qemuErrors } from "./errors.ts";
import { asText } from "./json-shape.ts";
import type { Qmp } from "./qmp.ts";

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

/** Where a guest's text comes from. */
type Source = {
  listen(take: (bytes: Uint8Array) => void, end: () => void): void;
  write(text: string): void;
  close(): void;
};

/** The text of a character device that is a socket: the serial line, whose model waits where we are slow. */
export function followGuestText(socket: Socket, logFile?: string): GuestText {
  socket.on("error", () => {});
  const listen: Source["listen"] = (take, end) => void socket.on("data", take).on("close", end);
  return guestText(
    { listen, write: (text) => void socket.write(text), close: () => void socket.destroy() },
    logFile,
  );
}

/** A ring is read this often while firmware is at work, and seldom afterwards. */
const RING_PAUSE_MS = 50;
const RING_BUSY_MS = 60_000;
const RING_IDLE_PAUSE_MS = 2_000;
export const ringBytes = 64 * KIB;

/**
 * The text of a character device that is a ring in QEMU's memory. Devices that write byte by byte with the machine's lock
 * held (the firmware's debug port) must not write to a socket: 300 unread bytes fill it and stop the whole machine.
 */
export function followRing(qmp: Qmp, device: string): GuestText {
  const ended = new AbortController();
  const listen: Source["listen"] = (take, end) => {
    void readRing(qmp, device, take, ended.signal)
      .catch(() => {})
      .then(end);
  };
  return guestText({ listen, write: () => {}, close: () => ended.abort() });
}

async function readRing(
  qmp: Qmp,
  device: string,
  take: (bytes: Uint8Array) => void,
  signal: AbortSignal,
): Promise<void> {
  const busyUntilMs = performance.now() + RING_BUSY_MS;
  for (;;) {
    const answer = await qmp.execute(
      "ringbuf-read",
      { device, size: ringBytes, format: "base64" },
      { signal },
    );
    const bytes = Buffer.from(asText(answer, "the ring's text"), "base64");
    if (bytes.byteLength > 0) take(bytes);
    await sleep(performance.now() < busyUntilMs ? RING_PAUSE_MS : RING_IDLE_PAUSE_MS, undefined, {
      signal,
      ref: false,
    });
  }
}

function guestText(source: Source, logFile?: string): GuestText {
  const log = logFile === undefined ? undefined : createWriteStream(logFile, { mode: 0o600 });
  // A full disk must not end a recovery that only logs: the tail in memory goes on.
  log?.on("error", () => {});
  const listeners = new Set<(piece: string) => void>();
  const ended = new AbortController();
  const decoder = new TextDecoder();
  let tail = "";
  let logged = 0;
  const take = (bytes: Uint8Array): void => {
    const room = Math.max(0, LOG_BYTES_MAX - logged);
    if (room > 0) log?.write(bytes.subarray(0, room));
    logged += bytes.byteLength;
    const piece = decoder.decode(bytes, { stream: true });
    tail = (tail + piece).slice(-TAIL_CHARS_MAX);
    for (const listener of listeners) listener(piece);
  };
  source.listen(take, () => {
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
      return settleWithin<RegExpExecArray>(
        `find ${pattern} in the guest's text`,
        waiting.timeoutMs ?? PATTERN_TIMEOUT_MS,
        waiting.signal,
        (resolve, reject) => {
          const look = (): void => {
            const match = sought.exec(tail);
            if (match !== null) resolve(match);
          };
          const stop = onText(look);
          const fail = (): void =>
            reject(
              qemuErrors.error("closed", `Cannot find ${pattern} in the guest's text: the machine is gone`),
            );
          ended.signal.addEventListener("abort", fail, { once: true });
          look();
          if (ended.signal.aborted) fail();
          return () => {
            stop();
            ended.signal.removeEventListener("abort", fail);
          };
        },
      );
    },
    write: (text) => source.write(text),
    close: () => source.close(),
  };
}
