/**
 * The timeline of a recovery: the stages reached, in the order they were, then those still to come. A database may well
 * answer before the login is asked for.
 */

import { timelineStages, type TimelineEntry } from "@mainstay/contract";
import { StageBars } from "./stage-bars.tsx";
import { STAGE_WORDS } from "./words.ts";

type TimelineProps = { readonly entries: readonly TimelineEntry[]; readonly expectsProbes?: boolean };

export function Timeline({ entries, expectsProbes = false }: TimelineProps) {
  const stages = timelineStages
    .map((stage) => ({ stage, atMs: lastAt(entries, stage) }))
    .toSorted((left, right) => (left.atMs ?? Infinity) - (right.atMs ?? Infinity) || 0)
    .filter(({ stage, atMs }) => stage !== "probe-passed" || expectsProbes || atMs !== null)
    .map(({ stage, atMs }) => ({ ...STAGE_WORDS[stage], atMs }));
  return <StageBars stages={stages} elapsedMs={null} />;
}

/** A stage may be told several times, once for each probe: the last one completes it. */
function lastAt(entries: readonly TimelineEntry[], stage: TimelineEntry["stage"]): number | null {
  const times = entries.filter((entry) => entry.stage === stage).map((entry) => entry.atMs);
  return times.length === 0 ? null : Math.max(...times);
}
