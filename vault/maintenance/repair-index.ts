/** Making the index anew from the packs' own headers, which are the truth it is a cache of. */

import { eachAtOnce, must } from "@mainstay/kit";
import { readIndexJson, type IndexedPack } from "../format/index-file.ts";
import { isObjectId, shortId, type ObjectId } from "../format/object-id.ts";
import type { PackedBlob } from "../format/pack-header.ts";
import { writeIndexes } from "../index/write-index.ts";
import { readPackHeader } from "../repository/adopt-packs.ts";
import { isDamage } from "../repository/damage.ts";
import { lockRepository } from "../repository/lock.ts";
import { readEnvelope, type Repository } from "../repository/repository.ts";

export type RepairIndexPlan = {
  readonly packs: readonly IndexedPack[];
  /**
   * Packs whose header cannot be read, and why. What an old index says of them is kept, since each blob is checked again when
   * it is read; what no index names is lost unless a replica has it.
   */
  readonly unreadable: readonly { readonly id: ObjectId; readonly reason: string }[];
  /** The index files that will be replaced. */
  readonly replaces: readonly ObjectId[];
};

const READS_AT_ONCE_MAX = 8;

/** Reads every pack's header. Changes nothing. Errors: those of the backend; damage is in the plan. */
export async function planRepairIndex(
  repository: Repository,
  signal?: AbortSignal,
): Promise<RepairIndexPlan> {
  // Indexes before packs: a pack stored meanwhile is then in no plan, and the index that names it in no list to replace.
  const indexes = await Array.fromAsync(repository.backend.list("index", signal), ({ name }) => name);
  const listed = await Array.fromAsync(repository.backend.list("data", signal));
  const packs: IndexedPack[] = [];
  const unreadable: { id: ObjectId; reason: string }[] = [];
  await eachAtOnce(listed, READS_AT_ONCE_MAX, async ({ name, sizeBytes }) => {
    signal?.throwIfAborted();
    if (!isObjectId(name)) return;
    const blobs = await readPackHeader(repository, name, sizeBytes, signal);
    if (typeof blobs === "string") unreadable.push({ id: name, reason: `pack ${shortId(name)}: ${blobs}` });
    else packs.push({ id: name, blobs });
  });
  const lost = new Set(unreadable.map(({ id }) => id));
  const remembered = lost.size === 0 ? [] : await rememberedPacks(repository, indexes, lost, signal);
  return { packs: [...packs, ...remembered], unreadable, replaces: indexes.filter(isObjectId) };
}

/** Writes the new index files, then removes the old ones: at every moment some index names each blob. */
export async function executeRepairIndex(repository: Repository, plan: RepairIndexPlan): Promise<void> {
  await using lock = await lockRepository(repository, "exclusive");
  const written = new Set((await writeIndexes(repository, plan.packs)).ids);
  await lock.assertHeld();
  for (const name of plan.replaces) {
    if (!written.has(name)) await repository.backend.remove({ kind: "index", name });
  }
}

/** What the indexes that can be read say of the packs in `wanted`. */
async function rememberedPacks(
  repository: Repository,
  indexes: readonly string[],
  wanted: ReadonlySet<ObjectId>,
  signal?: AbortSignal,
): Promise<readonly IndexedPack[]> {
  const remembered = new Map<ObjectId, Map<string, PackedBlob>>();
  for (const name of indexes) {
    try {
      readIndexJson(await readEnvelope(repository, { kind: "index", name }, signal), (pack, blob) => {
        if (!wanted.has(pack)) return;
        if (!remembered.has(pack)) remembered.set(pack, new Map());
        must(remembered.get(pack), "it was just made").set(`${blob.type}${blob.id}@${blob.offset}`, blob);
      });
    } catch (cause) {
      signal?.throwIfAborted();
      // An index that is damaged is one of the reasons to make it anew; one that cannot be fetched now is not.
      if (cause instanceof Error && "code" in cause && !isDamage(cause)) throw cause;
    }
  }
  return [...remembered].map(([id, blobs]) => ({ id, blobs: [...blobs.values()] }));
}
