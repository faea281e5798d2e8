/**
 * Replication: bringing restore points into another repository that shares the secrets of this one, so that packs travel as
 * they lie, sealed, and only those that the replica lacks.
 */

import { eachAtOnce } from "@mainstay/kit";
import { vaultErrors } from "../errors.ts";
import type { IndexedPack } from "../format/index-file.ts";
import { idOf, shortId, type ObjectId } from "../format/object-id.ts";
import type { BlobType } from "../format/pack-header.ts";
import type { Snapshot } from "../format/snapshot.ts";
import { loadIndex } from "../index/load-index.ts";
import { writeIndexes } from "../index/write-index.ts";
import { findUnindexedPacks } from "../repository/adopt-packs.ts";
import { missingBlob, readTree } from "../repository/blob-reader.ts";
import { lockRepository } from "../repository/lock.ts";
import type { Repository } from "../repository/repository.ts";

export type ReplicationPlan = {
  /** Restore points that the replica lacks, oldest first. */
  readonly snapshots: readonly Snapshot[];
  /** Packs to send. */
  readonly packs: readonly ReplicatedPack[];
  readonly totalBytes: number;
  /** Packs of an interrupted run that are there already and only need to be indexed. */
  readonly resumed: readonly IndexedPack[];
};

type ReplicatedPack = IndexedPack & { readonly sizeBytes: number };

export type ReplicationResult = {
  readonly packs: number;
  readonly sentBytes: number;
  readonly snapshots: readonly ObjectId[];
};

export type ReplicateOptions = {
  readonly onProgress?: ((doneBytes: number, totalBytes: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
};

const PACKS_AT_ONCE_MAX = 3;
/** An interrupted replication is resumed from the last index written; packs in between are found by their headers. */
const INDEX_EVERY_PACKS = 64;

/**
 * Decides what must be sent so that `to` holds `snapshots` as well. Loads both indexes.
 *
 * Errors: `vault.replica-foreign` if the two do not share their secrets; `vault.missing-blob` if `from` is not whole.
 */
export async function planReplication(
  from: Repository,
  to: Repository,
  snapshots: readonly Snapshot[],
  signal?: AbortSignal,
): Promise<ReplicationPlan> {
  if (!Buffer.from(from.key.encrypt).equals(to.key.encrypt)) {
    throw vaultErrors.error(
      "replica-foreign",
      `Cannot replicate ${from.backend.location} to ${to.backend.location}: the two do not share their secrets; make the replica from this repository`,
    );
  }
  await Promise.all([loadIndex(from, signal), loadIndex(to, signal)]);
  const present = new Set<string>();
  for await (const { name } of to.backend.list("snapshots", signal)) present.add(name);
  const wanted = snapshots.filter(({ id }) => !present.has(id));
  if (wanted.length === 0) return { snapshots: [], packs: [], totalBytes: 0, resumed: [] };
  const resumed = await findUnindexedPacks(to, signal);
  const target = { resumed: blobsOf(resumed), packs: await packSizes(to, signal) };
  const search = { from, to, target, sizes: await packSizes(from, signal), needed: new Set<ObjectId>() };
  await collectPacks(search, wanted, signal);
  const packs = describePacks(search);
  return {
    snapshots: wanted,
    packs,
    totalBytes: packs.reduce((sum, pack) => sum + pack.sizeBytes, 0),
    resumed,
  };
}

/** Sends packs, then indexes, then restore points: a replica never shows a restore point that it does not hold whole. */
export async function executeReplication(
  from: Repository,
  to: Repository,
  plan: ReplicationPlan,
  options: ReplicateOptions = {},
): Promise<ReplicationResult> {
  await using lock = await lockRepository(to, "shared");
  let unindexed: IndexedPack[] = [...plan.resumed];
  let sentBytes = 0;
  const index = async (): Promise<void> => {
    const packs = unindexed;
    unindexed = [];
    await writeIndexes(to, packs);
    for (const { id, blobs } of packs) for (const blob of blobs) to.table.add(id, blob);
  };
  try {
    await eachAtOnce(plan.packs, PACKS_AT_ONCE_MAX, async (pack) => {
      options.signal?.throwIfAborted();
      const bytes = await readWholePack(from, pack, options.signal);
      await to.backend.write({ kind: "data", name: pack.id }, [bytes], options.signal);
      unindexed.push(pack);
      sentBytes += pack.sizeBytes;
      options.onProgress?.(sentBytes, plan.totalBytes);
      if (unindexed.length >= INDEX_EVERY_PACKS) await index();
    });
  } catch (cause) {
    // What arrived need not be sent again. If even that fails, the packs are found by their headers.
    await index().catch(() => undefined);
    throw cause;
  }
  await index();
  await lock.assertHeld();
  for (const { id } of plan.snapshots) {
    options.signal?.throwIfAborted();
    await copySnapshot(from, to, id);
  }
  return { packs: plan.packs.length, sentBytes, snapshots: plan.snapshots.map(({ id }) => id) };
}

/** What a plan is made from. */
type Search = {
  readonly from: Repository;
  readonly to: Repository;
  /** What lies at the target: packs by size, and the blobs of those that no index of it names. */
  readonly target: { readonly packs: ReadonlyMap<string, number>; readonly resumed: ReadonlySet<string> };
  readonly sizes: ReadonlyMap<string, number>;
  /** Packs to send, found so far. */
  readonly needed: Set<ObjectId>;
};

/** Adds the packs of every blob below the restore points that `to` lacks. */
async function collectPacks(
  search: Search,
  points: readonly Snapshot[],
  signal?: AbortSignal,
): Promise<void> {
  const seen = new Set<ObjectId>();
  const waiting = points.map(({ tree }) => tree);
  for (let tree = waiting.pop(); tree !== undefined; tree = waiting.pop()) {
    if (seen.has(tree)) continue;
    seen.add(tree);
    // Even a tree that `to` has may have come alone, in a pack sent for another tree of an interrupted run; so it is
    // walked too. What it names is then known to be there, which costs a look-up each and no transfer.
    needBlob(search, "tree", tree);
    for (const node of await readTree(search.from, tree, signal)) {
      if (node.subtree !== undefined) waiting.push(node.subtree);
      for (const id of node.content ?? []) needBlob(search, "data", id);
    }
  }
}

function needBlob({ from, to, target, sizes, needed }: Search, type: BlobType, id: ObjectId): void {
  if (target.resumed.has(type + id)) return;
  // An index may name a pack that was lost; then it is sent again.
  if (to.table.places(id, type).some(({ pack }) => target.packs.has(pack))) return;
  const places = from.table.places(id, type);
  const [first] = places;
  if (first === undefined) throw missingBlob(from, type, id);
  if (places.some(({ pack }) => needed.has(pack))) return;
  const place = places.find(({ pack }) => sizes.has(pack));
  if (place === undefined) throw packMissing(from, first.pack);
  needed.add(place.pack);
}

function describePacks({ from, needed, sizes }: Search): readonly ReplicatedPack[] {
  const blobs = new Map<ObjectId, IndexedPack["blobs"][number][]>();
  for (const id of needed) blobs.set(id, []);
  for (const { pack, ...blob } of from.table.entries()) blobs.get(pack)?.push(blob);
  return [...blobs].map(([id, list]) => ({ id, blobs: list, sizeBytes: sizes.get(id) ?? 0 }));
}

function blobsOf(packs: readonly IndexedPack[]): ReadonlySet<string> {
  const keys = new Set<string>();
  for (const { blobs } of packs) for (const { type, id } of blobs) keys.add(type + id);
  return keys;
}

async function packSizes(repository: Repository, signal?: AbortSignal): Promise<ReadonlyMap<string, number>> {
  const sizes = new Map<string, number>();
  for await (const { name, sizeBytes } of repository.backend.list("data", signal)) sizes.set(name, sizeBytes);
  return sizes;
}

/** Errors: `vault.damaged-pack`: damage stays where it is instead of travelling to the replica. */
async function readWholePack(
  from: Repository,
  { id }: ReplicatedPack,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const bytes = await from.backend.read({ kind: "data", name: id }, undefined, signal);
  if (idOf(bytes) === id) return bytes;
  throw vaultErrors.error(
    "damaged-pack",
    `Cannot replicate pack ${shortId(id)} of ${from.backend.location}: its bytes do not hash to its name; run "mainstay vault check --read-data" to see what it affects, and fetch it from another replica`,
    { values: { pack: id } },
  );
}

async function copySnapshot(from: Repository, to: Repository, id: ObjectId): Promise<void> {
  const file = { kind: "snapshots", name: id } as const;
  const sealed = await from.backend.read(file);
  if (idOf(sealed) !== id) {
    throw vaultErrors.error(
      "damaged-file",
      `Cannot replicate restore point ${shortId(id)} of ${from.backend.location}: its bytes do not hash to its name; fetch the file from another replica`,
      { values: file },
    );
  }
  // Sealed with the shared secrets, so the bytes, and with them the id, stay the same.
  await to.backend.write(file, [sealed]);
}

function packMissing(from: Repository, pack: ObjectId): Error {
  return vaultErrors.error(
    "file-missing",
    `Cannot replicate ${from.backend.location}: pack ${shortId(pack)} is not there; run "mainstay vault check" to see what it affects`,
    { values: { pack } },
  );
}
