/** A disk to back up: how large it is, what of it must be read, and its bytes. */

import type { Extent } from "@mainstay/nbd";

export type ImageSource = AsyncDisposable & {
  readonly sizeBytes: number;
  /** `whole`: the extents cover the disk. `changes`: they name all that may differ from the parent restore point. */
  readonly coverage: "whole" | "changes";
  /** In order, without overlap, within the disk. */
  readonly extents: readonly Extent[];
  /** Extents that cover the disk, for when the parent turns out to be of no use. */
  wholeExtents(): Promise<readonly Extent[]>;
  /** Fills `target` with the disk's bytes from `offset` on. */
  readInto(target: Buffer, offset: number): Promise<void>;
};
