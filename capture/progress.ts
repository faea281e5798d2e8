/** How far a backup is. */

export type BackupProgress = {
  readonly phase: "preparing" | "reading" | "finishing";
  /** Of the source's bytes that must be looked at. */
  readonly doneBytes: number;
  /** `undefined` while it is not known, as when folders are walked. */
  readonly totalBytes: number | undefined;
};

export type OnProgress = (progress: BackupProgress) => void;
