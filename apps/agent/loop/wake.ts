/** A bell: whoever sleeps on it wakes when it rings, or when the time is over. */

import { setTimeout as sleep } from "node:timers/promises";

export type Bell = {
  ring(): void;
  /** Resolves at the first ring since the last wait, or after the time. Rejects when the signal aborts. */
  wait(timeoutMs: number, signal: AbortSignal): Promise<void>;
};

export function bell(): Bell {
  let rung = Promise.withResolvers<void>();
  return {
    ring: () => rung.resolve(),
    wait: async (timeoutMs, signal) => {
      const over = new AbortController();
      const timeout = sleep(timeoutMs, undefined, { signal: AbortSignal.any([signal, over.signal]) });
      try {
        await Promise.race([rung.promise, timeout]);
      } finally {
        over.abort();
        timeout.catch(() => undefined);
        rung = Promise.withResolvers();
      }
      signal.throwIfAborted();
    },
  };
}
