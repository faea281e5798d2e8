/** What came of a run, in a few words. */

import type { Run } from "@mainstay/contract";
import { formatBytes, formatCount, formatRate } from "../../format/bytes.ts";
import { formatDuration } from "../../format/duration.ts";

export function runOutcome(run: Run): string {
  if (run.error !== null) return run.error.message;
  if (run.progress !== null) return `${run.progress.phase}, ${formatRate(run.progress.bytesPerSecond)}`;
  if (run.result === null) return run.state === "queued" ? "Waits for its turn" : "–";
  switch (run.result.kind) {
    case "backup":
      return `${run.result.mode === "full" ? "Full" : "Changed blocks"}: ${formatBytes(run.result.readBytes)} read, ${formatBytes(run.result.addedBytes)} added`;
    case "replication":
      return `${formatBytes(run.result.sentBytes)} sent in ${formatCount(run.result.packs, "pack")}`;
    case "restore-test":
      return run.result.rtoMs === null
        ? "See what was seen"
        : `Recovered in ${formatDuration(run.result.rtoMs)}`;
    case "verification":
      return `${formatBytes(run.result.readBytes)} read, ${formatCount(run.result.damagedPoints, "damaged restore point")}`;
    case "retention":
      return `${formatCount(run.result.removedPoints, "restore point")} removed, ${formatBytes(run.result.freedBytes)} freed`;
  }
}
