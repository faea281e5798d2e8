/** Trying again, with growing pauses. */

import { setTimeout as sleep } from "node:timers/promises";

export type RetryOptions = {
  readonly attemptsMax: number;
  readonly firstPauseMs: number;
  readonly pauseMaxMs: number;
  /** Whether another attempt could succeed. */
  readonly isTransient: (cause: unknown) => boolean;
  readonly signal?: AbortSignal | undefined;
  /** Between 0 and 1; spreads the pauses so that many clients do not come back together. */
  readonly random?: () => number;
};

/** Runs `task` until it succeeds, fails for good, or the attempts are used up; then rejects with the last failure. */
export async function retry<Result>(
  task: (attempt: number) => Promise<Result>,
  options: RetryOptions,
): Promise<Result> {
  const random = options.random ?? Math.random;
  for (let attempt = 1; ; attempt += 1) {
    options.signal?.throwIfAborted();
    try {
      return await task(attempt);
    } catch (cause) {
      if (attempt >= options.attemptsMax || !options.isTransient(cause)) throw cause;
      const pauseMs = Math.min(options.pauseMaxMs, options.firstPauseMs * 2 ** (attempt - 1));
      await sleep(pauseMs * (0.5 + random() / 2), undefined, { signal: options.signal });
    }
  }
}
