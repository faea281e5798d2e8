/** A rate that is not exceeded: a token bucket, from which callers take before they move bytes. */

import { setTimeout as sleepFor } from "node:timers/promises";
import { assert, systemClock, type Clock } from "@mainstay/kit";

export type Pacer = {
  /** Resolves when so many bytes may move. Callers are served in the order they came. */
  take(sizeBytes: number, signal?: AbortSignal): Promise<void>;
};

export type PacerOptions = {
  readonly clock?: Clock;
  readonly sleep?: (milliseconds: number, signal?: AbortSignal) => Promise<void>;
};

/** How long the bucket fills at most: what may move at once after a pause. Small, so that the rate looks even. */
const BURST_MS = 100;

/** At most `bytesPerSecond` in any stretch longer than a tenth of a second. */
export function createPacer(bytesPerSecond: number, options: PacerOptions = {}): Pacer {
  assert(bytesPerSecond > 0, "a rate is above zero");
  const clock = options.clock ?? systemClock;
  const sleep = options.sleep ?? ((ms, signal) => sleepFor(ms, undefined, { signal }));
  /** When the bucket will have paid for all that was taken. */
  let paidAtMs = clock.monotonicMs();

  return {
    take: async (sizeBytes, signal) => {
      signal?.throwIfAborted();
      const nowMs = clock.monotonicMs();
      const startMs = Math.max(paidAtMs, nowMs - BURST_MS);
      const costMs = (sizeBytes / bytesPerSecond) * 1000;
      paidAtMs = startMs + costMs;
      const waitMs = paidAtMs - nowMs;
      if (waitMs <= 0) return;
      try {
        await sleep(waitMs, signal);
      } catch (cause) {
        // What was never moved is given back to those who wait.
        paidAtMs -= costMs;
        throw cause;
      }
    },
  };
}
