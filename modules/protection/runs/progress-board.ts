/** How far the running runs are: in memory, newest wins, gone with the process. */

import type { CustomerId, DeviceId, RunProgress } from "@mainstay/contract";
import type { LiveEvents } from "@mainstay/platform";

export type ProgressSubject = {
  readonly runId: string;
  readonly customerId: CustomerId;
  readonly deviceId: DeviceId;
};

export type ProgressBoard = {
  tell(subject: ProgressSubject, progress: RunProgress): void;
  readonly of: (runId: string) => RunProgress | undefined;
  forget(runId: string): void;
};

/** Messages for one run are no closer together. */
const TELL_EVERY_MS = 500;

/** An agent that makes up run ids must not fill the memory. */
const RUNS_MAX = 10_000;

export function createProgressBoard(live: Pick<LiveEvents, "tell">, nowMs: () => number): ProgressBoard {
  const board = new Map<string, { readonly progress: RunProgress; readonly toldMs: number }>();
  return {
    tell: ({ runId, customerId, deviceId }, progress) => {
      const known = board.get(runId);
      if (known === undefined && board.size >= RUNS_MAX) return;
      const isDue = known === undefined || nowMs() - known.toldMs >= TELL_EVERY_MS;
      board.set(runId, { progress, toldMs: isDue ? nowMs() : known.toldMs });
      if (isDue) live.tell({ type: "run.progress", customerId, deviceId, subjectId: runId, progress });
    },
    of: (runId) => board.get(runId)?.progress,
    forget: (runId) => board.delete(runId),
  };
}
