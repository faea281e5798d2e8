/** Counting what goes to and comes from a backend, for figures and bills. */

import type { Backend } from "./backend.ts";
import { sizeOf } from "./file-ref.ts";

export type Traffic = {
  /** Calls that the backend was asked to do, failed ones too. */
  readonly requests: number;
  /** File content sent by writes that succeeded. */
  readonly sentBytes: number;
  /** File content received by reads that succeeded. */
  readonly receivedBytes: number;
};

export type CountingBackend = Backend & {
  /** What was counted until now. */
  traffic(): Traffic;
};

/** `backend`, with its traffic counted. Closing it closes `backend`. */
export function withCounting(backend: Backend): CountingBackend {
  const counts = { requests: 0, sentBytes: 0, receivedBytes: 0 };
  const asked = <Result>(result: Result): Result => {
    counts.requests += 1;
    return result;
  };
  return {
    location: backend.location,
    create: () => asked(backend.create()),
    stat: (file) => asked(backend.stat(file)),
    list: (kind, signal) => asked(backend.list(kind, signal)),
    read: async (file, range, signal) => {
      const bytes = await asked(backend.read(file, range, signal));
      counts.receivedBytes += bytes.length;
      return bytes;
    },
    write: async (file, parts, signal) => {
      await asked(backend.write(file, parts, signal));
      counts.sentBytes += sizeOf(parts);
    },
    remove: (file) => asked(backend.remove(file)),
    close: () => backend.close(),
    traffic: () => ({ ...counts }),
  };
}
