/** A disk to back up: how large it is, what of it must be read, and its bytes. */

import type { ObjectId } from "@mainstay/vault";
import type { Extent } from "@mainstay/nbd";

export type ImageSource = AsyncDisposable & {
  /** For messages. */
  readonly location: string;
  readonly sizeBytes: number;
  /**
   * `whole`: the extents cover the disk. `changes`: they name all that may differ from the restore point `since`; the rest
   * is as it was there.
   */
  readonly coverage: { readonly kind: "whole" } | { readonly kind: "changes"; readonly since: ObjectId };
  /** In order, without overlap. */
  readonly extents: readonly Extent[];
  /** Fills `target` with the disk's bytes from `offset` on. */
  readInto(target: Buffer, offset: number): Promise<void>;
  /** Called once the restore point is durable: from here on changes are counted against it. */
  settle(point: ObjectId): Promise<void>;
};
