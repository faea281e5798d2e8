/** Trying again when a backend does not answer, with growing pauses. Every call of a backend may be repeated. */

import { retry, type RetryOptions } from "@mainstay/kit";
import { vaultErrors } from "../errors.ts";
import type { Backend } from "./backend.ts";

export type RetryPolicy = Partial<
  Pick<RetryOptions, "attemptsMax" | "firstPauseMs" | "pauseMaxMs" | "random">
>;

/** About two minutes in all: long enough for a router to start again. */
const POLICY = { attemptsMax: 9, firstPauseMs: 500, pauseMaxMs: 30_000 } as const;

/** `backend`, but failures that may pass are tried again. Closing it closes `backend`. */
export function withRetries(backend: Backend, policy: RetryPolicy = {}): Backend {
  const again = <Result>(task: () => Promise<Result>, signal?: AbortSignal): Promise<Result> =>
    retry(task, {
      ...POLICY,
      ...policy,
      isTransient: (cause) => vaultErrors.is(cause, "backend-unreachable"),
      signal,
    });
  return {
    location: backend.location,
    create: () => again(() => backend.create()),
    stat: (file) => again(() => backend.stat(file)),
    list: async function* (kind, signal) {
      // Gathered first: a listing that fails in the middle begins anew, and nobody may see an entry twice.
      yield* await again(() => Array.fromAsync(backend.list(kind, signal)), signal);
    },
    read: (file, range, signal) => again(() => backend.read(file, range, signal), signal),
    write: (file, parts, signal) => again(() => backend.write(file, parts, signal), signal),
    remove: (file) => again(() => backend.remove(file)),
    close: () => backend.close(),
  };
}
