/** A backup's progress on the terminal. */

import type { BackupProgress, OnProgress } from "@mainstay/capture";
import type { Progress } from "../terminal/progress.ts";

const TITLES: Readonly<Record<BackupProgress["phase"], string>> = {
  preparing: "Preparing",
  reading: "Reading",
  finishing: "Finishing",
};

export function showBackupProgress(progress: Progress): OnProgress {
  let phase: BackupProgress["phase"] | undefined;
  return (now) => {
    if (now.phase !== phase) progress.phase(TITLES[now.phase], now.totalBytes);
    phase = now.phase;
    progress.reach(now.doneBytes);
  };
}
