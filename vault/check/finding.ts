/** What a check finds. A hint is untidy but sound; an error means that something cannot be restored. */

export type FindingKind =
  | "pack-missing"
  | "pack-truncated"
  | "pack-damaged"
  | "pack-unindexed"
  | "pack-indexed-twice"
  | "pack-mixed"
  | "blob-missing"
  | "blob-damaged"
  | "tree-damaged"
  | "index-damaged"
  | "snapshot-damaged"
  | "key-damaged"
  | "header-differs";

export type Finding = {
  readonly severity: "error" | "hint";
  readonly kind: FindingKind;
  /** The file or blob it is about. */
  readonly id: string;
  /** One sentence, for people. */
  readonly text: string;
  /** Restore points that cannot be restored whole because of it, as far as known. */
  readonly points?: readonly string[] | undefined;
};
