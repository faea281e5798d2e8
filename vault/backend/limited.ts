/**
 * A cap on the bandwidth that a backend takes, for each direction. For backends that move a file in one piece, such as disks; the
 * REST client paces its own stream instead, so that the line sees an even rate (see `rest.ts`).
 */

import type { Backend } from "./backend.ts";
import { sizeOf } from "./file-ref.ts";
import type { Pacer } from "./pacer.ts";

export type Pacing = {
  /** Bytes towards the repository. */
  readonly sent?: Pacer | undefined;
  /** Bytes from the repository. */
  readonly received?: Pacer | undefined;
};

/** Waits are no longer than for so many bytes, so that several streams share the rate fairly. */
export const PACED_BYTES = 64 * 1024;

/** `backend` at the given pace. Closing it closes `backend`. */
export function withPacing(backend: Backend, pacing: Pacing): Backend {
  return {
    ...backend,
    read: async (file, range, signal) => {
      const sizeBytes = range?.length ?? (await backend.stat(file)) ?? 0;
      await takeInSlices(pacing.received, sizeBytes, signal);
      return backend.read(file, range, signal);
    },
    write: async (file, parts, signal) => {
      await takeInSlices(pacing.sent, sizeOf(parts), signal);
      await backend.write(file, parts, signal);
    },
  };
}

async function takeInSlices(
  pacer: Pacer | undefined,
  sizeBytes: number,
  signal?: AbortSignal,
): Promise<void> {
  if (pacer === undefined) return;
  for (let left = sizeBytes; left > 0; left -= PACED_BYTES) {
    await pacer.take(Math.min(left, PACED_BYTES), signal);
  }
}
