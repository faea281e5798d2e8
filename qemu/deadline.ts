/** Waiting no longer than a named limit, and no longer than the caller wants. */

import { qemuErrors } from "./errors.ts";

export type Waiting = { readonly signal?: AbortSignal | undefined; readonly timeoutMs?: number | undefined };

/**
 * Runs `start` with callbacks, at most one of which counts. Rejects with `qemu.timed-out` after `timeoutMs` and with the
 * signal's reason on abort; in every case `cleanUp` (what `start` returns) runs once.
 */
export function settleWithin<Result>(
  what: string,
  timeoutMs: number,
  signal: AbortSignal | undefined,
  start: (resolve: (value: Result) => void, reject: (cause: unknown) => void) => (() => void) | undefined,
): Promise<Result> {
  if (signal?.aborted === true) return Promise.reject(signal.reason);
  const { promise, resolve, reject } = Promise.withResolvers<Result>();
  const timer = setTimeout(() => reject(timedOut(what, timeoutMs)), timeoutMs);
  const abort = (): void => reject(signal?.reason);
  signal?.addEventListener("abort", abort, { once: true });
  let cleanUp: (() => void) | undefined;
  try {
    cleanUp = start(resolve, reject);
  } catch (cause) {
    reject(cause);
  }
  return promise.finally(() => {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
    cleanUp?.();
  });
}

/** `promise`, or `qemu.timed-out` / the signal's reason if that comes first. */
export function within<Result>(
  what: string,
  promise: Promise<Result>,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<Result> {
  return settleWithin<Result>(what, timeoutMs, signal, (resolve, reject) => {
    promise.then(resolve, reject);
    return undefined;
  });
}

function timedOut(what: string, timeoutMs: number): Error {
  return qemuErrors.error(
    "timed-out",
    `Cannot ${what}: no answer within ${(timeoutMs / 1000).toFixed(1)} s`,
    {
      values: { what, timeoutMs },
    },
  );
}
