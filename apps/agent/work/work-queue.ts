/** Work the server asked for: durable before it is confirmed, done once, and not begun after its time. */

import type { Work } from "@mainstay/contract";
import type { JsonFile } from "../state/json-file.ts";
import type { WorkQueueState } from "../state/folder.ts";

/** Dedupe keys remembered. */
const DONE_MAX = 500;
const WAITING_MAX = 500;

export type WorkQueue = {
  /** Resolves when the work is durable. `known`: it waits or was done already; `full`: the server is to keep it. */
  add(work: Work): Promise<"added" | "known" | "full">;
  /** The oldest that waits; it stays in the queue until `finish`. */
  first(): Work | undefined;
  finish(work: Work): Promise<void>;
};

export async function openWorkQueue(file: JsonFile<WorkQueueState>): Promise<WorkQueue> {
  let state: WorkQueueState = (await file.read()) ?? { waiting: [], done: [] };
  const change = async (next: WorkQueueState): Promise<void> => {
    await file.write(next);
    state = next;
  };
  return {
    add: async (work) => {
      const isKnown =
        state.done.includes(work.dedupeKey) || state.waiting.some((one) => one.dedupeKey === work.dedupeKey);
      if (isKnown) return "known";
      if (state.waiting.length >= WAITING_MAX) return "full";
      await change({ ...state, waiting: [...state.waiting, work] });
      return "added";
    },
    first: () => state.waiting[0],
    finish: (work) =>
      change({
        waiting: state.waiting.filter((one) => one.dedupeKey !== work.dedupeKey),
        done: [...state.done, work.dedupeKey].slice(-DONE_MAX),
      }),
  };
}

/** Whether the work's time is over, by the server's clock: ours may be a day off. */
export function isExpired(work: Work, now: Date, serverAheadMs: number): boolean {
  return now.getTime() + serverAheadMs >= Date.parse(work.expiresAt);
}
