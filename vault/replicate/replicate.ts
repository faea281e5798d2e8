/**
 * Replication: bringing restore points into another repository that shares the secrets of this one, so that packs travel as
 * they lie, sealed, and only those that the replica lacks.
 */

import { assert, eachAtOnce } from "@mainstay/kit";
import { vaultErrors } from "../errors.ts";
import { closeEnvelope } from "../format/envelope.ts";
import { indexToJson, type IndexedPack } from "../format/index-file.ts";
import { shortId, type ObjectId } from "../format/object-id.ts";
import type { BlobType } from "../format/pack-header.ts";
import type { Snapshot } from "../format/snapshot.ts";
import { loadIndex } from "../index/load-index.ts";
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

export type ReplicationResult = { readonly packs: number; readonly sentBytes: number; readonly snapshots: readonly ObjectId[] };

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
  const resumed: IndexedPack[] = [];
  if (wanted.length > 0) {
    for await (const pack of findUnindexedPacks(to, signal)) {
      for (const blob of pack.blobs) to.table.add(pack.id, blob);
      resumed.push(pack);
    }
  }
  const needed = new Set<ObjectId>();
  const seen = new Set<ObjectId>();
  for (const { tree } of wanted) await collectPacks(from, to, tree, seen, needed, signal);
  const packs = await describePacks(from, needed, signal);
  return { snapshots: wanted, packs, totalBytes: packs.reduce((sum, pack) => sum + pack.sizeBytes, 0), resumed };
}

/** Sends packs, then indexes, then restore points: a replica never shows a restore point that it does not hold whole. */
export async function executeReplication(
  from: Repository,
  to: Repository,
  plan: ReplicationPlan,
  options: ReplicateOptions = {},
): Promise<ReplicationResult> {
  await using _lock = await lockRepository(to, "shared");
  let unindexed: IndexedPack[] = [...plan.resumed];
  let sentBytes = 0;
  const flushIndex = async (): Promise<void> => {
    const packs = unindexed;
    unindexed = [];
    if (packs.length === 0) return;
    const { id, sealed } = closeEnvelope(to.key, to.config.version, indexToJson(packs));
    await to.backend.write({ kind: "index", name: id }, [sealed]);
  };
  try {
    await eachAtOnce(plan.packs, PACKS_AT_ONCE_MAX, async (pack) => {
      options.signal?.throwIfAborted();
      const file = { kind: "data", name: pack.id } as const;
      await to.backend.write(file, [await from.backend.read(file, undefined, options.signal)], options.signal);
      unindexed.push(pack);
      sentBytes += pack.sizeBytes;
      options.onProgress?.(sentBytes, plan.totalBytes);
      if (unindexed.length >= INDEX_EVERY_PACKS) await flushIndex();
    });
  } finally {
    await flushIndex();
  }
  for (const { id } of plan.snapshots) {
    // Sealed with the shared secrets, so the bytes, and with them the id, stay the same.
    await to.backend.write({ kind: "snapshots", name: id }, [await from.backend.read({ kind: "snapshots", name: id })]);
  }
  return { packs: plan.packs.length, sentBytes, snapshots: plan.snapshots.map(({ id }) => id) };
}

/** Adds the packs of every blob below `root` that `to` lacks. */
async function collectPacks(
  from: Repository,
  to: Repository,
  root: ObjectId,
  seen: Set<ObjectId>,
  packs: Set<ObjectId>,
  signal?: AbortSignal,
): Promise<void> {
  const waiting = [root];
  const need = (type: BlobType, id: ObjectId): boolean => {
    if (to.table.has(id, type)) return false;
    const place = from.table.get(id, type);
    if (place === undefined) throw missingBlob(from, type, id);
    packs.add(place.pack);
    return true;
  };
  for (let tree = waiting.pop(); tree !== undefined; tree = waiting.pop()) {
    if (seen.has(tree)) continue;
    seen.add(tree);
    // Even a tree that `to` has may have come alone, in a pack sent for another tree of an interrupted run; so it is
    // walked too. What it names is then known to be there, which costs a look-up each and no transfer.
    need("tree", tree);
    for (const node of await readTree(from, tree, signal)) {
      if (node.subtree !== undefined) waiting.push(node.subtree);
      for (const id of node.content ?? []) need("data", id);
    }
  }
}

async function describePacks(
  from: Repository,
  wanted: ReadonlySet<ObjectId>,
  signal?: AbortSignal,
): Promise<readonly ReplicatedPack[]> {
  const blobs = Map.groupBy(from.table.entries(), (place) => place.pack);
  const packs: ReplicatedPack[] = [];
  for (const id of wanted) {
    const sizeBytes = await from.backend.stat({ kind: "data", name: id });
    signal?.throwIfAborted();
    assert(blobs.has(id), `pack ${shortId(id)} was found through the table`);
    if (sizeBytes === undefined) {
      throw vaultErrors.error(
        "file-missing",
        `Cannot replicate ${from.backend.location}: pack ${shortId(id)} is not there; run "mainstay vault check" to see what it affects`,
        { values: { pack: id } },
      );
    }
    packs.push({ id, blobs: blobs.get(id) ?? [], sizeBytes });
  }
  return packs;
}
