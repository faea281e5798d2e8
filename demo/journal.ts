/** What happened in the demo: one line per step, with its seconds and bytes. */

import { formatBytes, formatDuration } from "@mainstay/kit";

export type Step = {
  readonly what: string;
  readonly durationMs: number;
  readonly bytes?: number | undefined;
  readonly remark?: string | undefined;
};

/** What a step tells of itself when it is done. */
export type StepOutcome = { readonly bytes?: number | undefined; readonly remark?: string | undefined };

export type Journal = {
  readonly steps: readonly Step[];
  /** Runs `work`, saying so before and after. `tell` makes the outcome of the result. */
  step<Result>(
    what: string,
    work: () => Promise<Result>,
    tell?: (result: Result) => StepOutcome,
  ): Promise<Result>;
};

export function openJournal(say: (line: string) => void): Journal {
  const steps: Step[] = [];
  return {
    steps,
    step: async (what, work, tell = () => ({})) => {
      say(`… ${what}`);
      const startMs = performance.now();
      const result = await work();
      const step = { what, durationMs: performance.now() - startMs, ...tell(result) };
      steps.push(step);
      say(`✓ ${describe(step)}`);
      return result;
    },
  };
}

function describe({ what, durationMs, bytes, remark }: Step): string {
  const parts = [what, formatDuration(durationMs)];
  if (bytes !== undefined) parts.push(formatBytes(bytes));
  if (remark !== undefined) parts.push(remark);
  return parts.join("  ");
}
