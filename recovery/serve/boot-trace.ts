/**
 * The order in which a machine reads its disk while it boots, learned once and read ahead the next time: a machine that
 * boots the same system reads nearly the same blocks in nearly the same order.
 */

import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { eachAtOnce } from "@mainstay/kit";
import type { ContentReader } from "@mainstay/vault";

/** Offsets are noted in steps of the smallest chunk. */
const STEP_BYTES = 256 * 1024;
/** 1 GiB of disk: far more than systems read before they serve. */
const STEPS_MAX = 4096;
/** The reader's cache must not be flooded by what is read ahead. */
const AHEAD_BYTES_MAX = 96 * 1024 * 1024;
/** One at a time: under emulation the processors that decode are those that the guest boots on. */
const AHEAD_AT_ONCE_MAX = 1;

export type BootTrace = {
  /** The steps seen so far, in the order first read. */
  readonly steps: readonly number[];
  note(offset: number, length: number): void;
};

export function recordBootTrace(): BootTrace {
  const seen = new Set<number>();
  return {
    get steps() {
      return [...seen];
    },
    note: (offset, length) => {
      for (let step = Math.floor(offset / STEP_BYTES); step * STEP_BYTES < offset + length; step += 1) {
        if (seen.size >= STEPS_MAX) return;
        seen.add(step);
      }
    },
  };
}

/** The steps of an earlier boot; none if there is no trace or it cannot be read: it only saves time. */
export async function loadBootTrace(path: string): Promise<readonly number[]> {
  try {
    const steps: unknown = JSON.parse(await readFile(path, "utf8"));
    const isTrace = Array.isArray(steps) && steps.length <= STEPS_MAX && steps.every(isStep);
    return isTrace ? steps : [];
  } catch {
    return [];
  }
}

export async function saveBootTrace(path: string, trace: BootTrace): Promise<void> {
  if (trace.steps.length === 0) return;
  await mkdir(dirname(path), { recursive: true });
  await writeFile(`${path}.new`, JSON.stringify(trace.steps));
  await rename(`${path}.new`, path);
}

/** Brings the steps into the reader's cache, in their order, until `signal` says that the disk is no longer served. */
export async function readAhead(
  reader: ContentReader,
  steps: readonly number[],
  signal: AbortSignal,
): Promise<void> {
  const ahead = steps.slice(0, Math.floor(AHEAD_BYTES_MAX / STEP_BYTES));
  await eachAtOnce(ahead, AHEAD_AT_ONCE_MAX, async (step) => {
    if (!signal.aborted) await reader.prefetch(step * STEP_BYTES, STEP_BYTES);
  });
}

function isStep(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}
