/** How far a backup is. */

export type BackupProgress = {
  readonly phase: "preparing" | "reading" | "finishing";
  /** Of the source's bytes that must be looked at. */
  readonly doneBytes: number;
  readonly totalBytes: number;
};

export type OnProgress = (progress: BackupProgress) => void;
