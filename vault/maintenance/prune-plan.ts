/** What a prune would do: which packs hold nothing that is needed, which are worth packing anew, which trash may go. */

import { vaultErrors } from "../errors.ts";
import { isObjectId, shortId, type ObjectId } from "../format/object-id.ts";
import { BlobTable } from "../index/blob-table.ts";
import { loadIndex } from "../index/load-index.ts";
import { readPackHeader } from "../repository/adopt-packs.ts";
import { missingBlob } from "../repository/blob-reader.ts";
import type { Repository } from "../repository/repository.ts";
import { listSnapshots } from "../repository/snapshots.ts";
import { packUses, type PackUse } from "./pack-use.ts";
import { findUsedBlobs, type UsedBlobs } from "./used-blobs.ts";

/** restic's rule of thumb: what is not needed may stay up to so much of the whole, for packing anew costs reading and writing. */
const UNUSED_SHARE_MAX = 0.05;

export type PrunePlan = {
  /** All restore points there were when it was made. */
  readonly snapshots: readonly ObjectId[];
  /** Index files there were when it was made. */
  readonly indexes: readonly string[];
  /** Packs that hold nothing that is needed: they become trash. */
  readonly unused: readonly PackUse[];
  /** Packs whose needed blobs are put into new packs; then they become trash. */
  readonly repack: readonly PackUse[];
  /** Packs that no index names and no prune marked, as an interrupted backup leaves them: they become trash. */
  readonly stray: readonly PackUse[];
  /** Packs that no index names and that hold what a restore point needs: they are indexed again. */
  readonly rescued: readonly ObjectId[];
  /** Trash of an earlier prune that is still not needed: removed. */
  readonly sweep: readonly PackUse[];
  /** Packs that an index names, that are not there, and that nobody needs. */
  readonly gone: readonly ObjectId[];
  readonly usedBytes: number;
  /** In packs that stay. */
  readonly unusedBytesLeft: number;
  /** By the sweep of this run. */
  readonly freedBytes: number;
  /** By the sweep of the next run, if nothing needs the trash until then. */
  readonly trashedBytes: number;
};

/** A plan and what it was made of. */
export type PruneSurvey = {
  readonly plan: PrunePlan;
  /** The repository with a table of its own, which knows what is indexed now and nothing older. */
  readonly view: Repository;
  readonly homes: Uint8Array;
};

/**
 * Decides what a prune would remove, changing nothing. Every restore point that is listed is kept whole: points to be dropped
 * are forgotten first.
 *
 * Errors: `vault.prune-refused` if something is missing that a restore point needs; those of reading what is there.
 */
export async function planPrune(repository: Repository, signal?: AbortSignal): Promise<PrunePlan> {
  return (await surveyPrune(repository, signal)).plan;
}

export async function surveyPrune(repository: Repository, signal?: AbortSignal): Promise<PruneSurvey> {
  const view: Repository = { ...repository, table: new BlobTable() };
  const indexes = await Array.fromAsync(view.backend.list("index", signal), ({ name }) => name);
  await loadIndex(view, signal);
  const indexed = new Set(view.table.packs);
  const sizes = new Map<ObjectId, number>();
  for await (const { name, sizeBytes } of view.backend.list("data", signal))
    if (isObjectId(name)) sizes.set(name, sizeBytes);
  const snapshots = await listSnapshots(view, signal);
  const used = await findUsedOrRescue(view, sizes, () => findUsedBlobs(view, snapshots, signal), signal);
  const { packs, homes, lost } = packUses(view.table, used.marks, sizes);
  const [first] = lost;
  if (first !== undefined)
    throw refused(view, `pack ${shortId(first.pack)}, which restore points need, is not there or too short`);
  const unindexed = [...sizes].flatMap(([id, sizeBytes]) =>
    view.table.hasPack(id) ? [] : [{ id, sizeBytes, unusedBytes: sizeBytes, usedBytes: 0 }],
  );
  const plan = assemble({
    snapshots: snapshots.map(({ id }) => id),
    indexes: indexes.toSorted(),
    packs,
    rescued: view.table.packs.filter((pack) => !indexed.has(pack)),
    stray: unindexed.filter(({ id }) => !view.table.trash.has(id)),
    sweep: unindexed.filter(({ id }) => view.table.trash.has(id)),
  });
  return { plan, view, homes };
}

/**
 * A restore point may need what lies in a pack that no index names: a program that knew the pack before a prune took it out
 * of the index has relied on it since. Such packs are found by their headers and taken back.
 */
async function findUsedOrRescue(
  view: Repository,
  sizes: ReadonlyMap<ObjectId, number>,
  find: () => Promise<UsedBlobs>,
  signal?: AbortSignal,
): Promise<UsedBlobs> {
  const candidates = new Map([...sizes].filter(([id]) => !view.table.hasPack(id)));
  for (;;) {
    const used = await find();
    if (used.missing.length === 0) return used;
    const wanted = new Set(used.missing.map(({ type, id }) => type + id));
    let isRescued = false;
    for (const [pack, sizeBytes] of candidates) {
      const blobs = await readPackHeader(view, pack, sizeBytes, signal);
      if (typeof blobs === "string" || !blobs.some(({ type, id }) => wanted.has(type + id))) continue;
      for (const blob of blobs) view.table.add(pack, blob);
      candidates.delete(pack);
      isRescued = true;
    }
    const [missing] = used.missing;
    if (!isRescued && missing !== undefined)
      throw refused(
        view,
        `restore points need ${missing.type} blob ${shortId(missing.id)}, which no pack holds`,
        missingBlob(view, missing.type, missing.id),
      );
  }
}

type Found = Pick<PrunePlan, "snapshots" | "indexes" | "rescued" | "stray" | "sweep"> & {
  readonly packs: readonly PackUse[];
};

function assemble({ packs, ...found }: Found): PrunePlan {
  const there = packs.filter(({ sizeBytes }) => sizeBytes > 0);
  const unused = there.filter(({ usedBytes }) => usedBytes === 0);
  const usedBytes = sumOf(packs, (pack) => pack.usedBytes);
  const partlyUsed = there
    .filter((pack) => pack.usedBytes > 0 && pack.unusedBytes > 0)
    .toSorted(byUnusedShare);
  const unusedBytesMax = (usedBytes * UNUSED_SHARE_MAX) / (1 - UNUSED_SHARE_MAX);
  let unusedBytesLeft = sumOf(partlyUsed, (pack) => pack.unusedBytes);
  const repack: PackUse[] = [];
  for (const pack of partlyUsed) {
    if (unusedBytesLeft <= unusedBytesMax) break;
    repack.push(pack);
    unusedBytesLeft -= pack.unusedBytes;
  }
  return {
    ...found,
    unused,
    repack,
    gone: packs.filter(({ sizeBytes }) => sizeBytes === 0).map(({ id }) => id),
    usedBytes,
    unusedBytesLeft,
    freedBytes: sumOf(found.sweep, (pack) => pack.sizeBytes),
    trashedBytes: sumOf([...unused, ...repack, ...found.stray], (pack) => pack.sizeBytes),
  };
}

/** The worst first; by name where equal, so that the same repository always gives the same plan. */
function byUnusedShare(left: PackUse, right: PackUse): number {
  const share = ({ unusedBytes, usedBytes }: PackUse): number => unusedBytes / (unusedBytes + usedBytes);
  return share(right) - share(left) || (left.id < right.id ? -1 : 1);
}

function sumOf(packs: readonly PackUse[], bytesOf: (pack: PackUse) => number): number {
  return packs.reduce((sum, pack) => sum + bytesOf(pack), 0);
}

function refused(repository: Repository, found: string, cause?: unknown): Error {
  return vaultErrors.error(
    "prune-refused",
    `Cannot prune ${repository.backend.location}: ${found}; run "mainstay vault check" to see what it affects, and fetch what is missing from a replica`,
    { cause },
  );
}
