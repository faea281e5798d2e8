/** How much of each pack is needed, with one home for each blob that lies in several packs. */

import { must } from "@mainstay/kit";
import type { ObjectId } from "../format/object-id.ts";
import type { BlobPlace, BlobTable } from "../index/blob-table.ts";

export type PackUse = {
  readonly id: ObjectId;
  /** Of the file; 0 if it is not there. */
  readonly sizeBytes: number;
  /** Of blobs, sealed, that nobody needs or that have their home elsewhere. */
  readonly unusedBytes: number;
  readonly usedBytes: number;
};

export type PackUses = {
  readonly packs: readonly PackUse[];
  /** 1 where the place is the home of a needed blob, by its number in the table. */
  readonly homes: Uint8Array;
  /** Needed blobs of which no pack that is there and long enough has a copy. */
  readonly lost: readonly BlobPlace[];
};

type Tally = { wholeBytes: number; neededBytes: number; homeBytes: number };

/** `marks` are those of `findUsedBlobs`, `sizes` the packs that are there. */
export function packUses(
  table: BlobTable,
  marks: Uint8Array,
  sizes: ReadonlyMap<ObjectId, number>,
): PackUses {
  const tallies = new Map<ObjectId, Tally>();
  for (const pack of table.packs) tallies.set(pack, { wholeBytes: 0, neededBytes: 0, homeBytes: 0 });
  const tallyOf = (pack: ObjectId): Tally => must(tallies.get(pack), "every place names a pack of the table");
  for (const place of table.entries()) {
    const tally = tallyOf(place.pack);
    tally.wholeBytes += place.length;
    if (marks[numberOf(table, place)] === 1) tally.neededBytes += place.length;
  }
  const share = ({ pack }: BlobPlace): number => tallyOf(pack).neededBytes / tallyOf(pack).wholeBytes;
  const homes = new Uint8Array(table.size);
  const lost: BlobPlace[] = [];
  let number = -1;
  for (const place of table.entries()) {
    number += 1;
    // The number of a blob is that of its first place: each needed blob is met here once.
    if (marks[number] !== 1) continue;
    const there = table.places(place.id, place.type).filter((one) => isThere(one, sizes));
    const [home] = there.toSorted((left, right) => share(right) - share(left));
    if (home === undefined) {
      lost.push(place);
      continue;
    }
    tallyOf(home.pack).homeBytes += home.length;
    homes[must(table.numberOfPlace(home), "the place is of this table")] = 1;
  }
  const packs = [...tallies].map(([id, { wholeBytes, homeBytes }]) => ({
    id,
    sizeBytes: sizes.get(id) ?? 0,
    unusedBytes: wholeBytes - homeBytes,
    usedBytes: homeBytes,
  }));
  return { packs, homes, lost };
}

function numberOf(table: BlobTable, { id, type }: BlobPlace): number {
  return must(table.numberOf(id, type), "the place is of this table");
}

function isThere({ pack, offset, length }: BlobPlace, sizes: ReadonlyMap<ObjectId, number>): boolean {
  return (sizes.get(pack) ?? 0) >= offset + length;
}
