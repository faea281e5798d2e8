/** Packs that do not exist, with as many blobs as packs of a disk image have. */

import { randomBytes } from "node:crypto";
import type { ObjectId } from "@mainstay/vault";

const BLOBS_PER_PACK = 160;
const BLOB_BYTES = 100_000;
const RAW_BYTES = 262_144;

export type MadeUpPack = {
  readonly id: ObjectId;
  readonly blobs: readonly {
    readonly id: ObjectId;
    readonly type: "data";
    readonly offset: number;
    readonly length: number;
    readonly rawLength: number;
  }[];
};

export function* madeUpPacks(blobCount: number): IterableIterator<MadeUpPack> {
  for (let made = 0; made < blobCount; made += BLOBS_PER_PACK) {
    const blobs = Array.from({ length: Math.min(BLOBS_PER_PACK, blobCount - made) }, (_, index) => ({
      id: madeUpId(),
      type: "data" as const,
      offset: index * BLOB_BYTES,
      length: BLOB_BYTES,
      rawLength: RAW_BYTES,
    }));
    yield { id: madeUpId(), blobs };
  }
}

function madeUpId(): ObjectId {
  // 64 hexadecimal digits are an id by definition.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return randomBytes(32).toString("hex") as ObjectId;
}
