/** Making the index anew from the packs' own headers, which are the truth it is a cache of. */

import { eachAtOnce, messageOf } from "@mainstay/kit";
import { closeEnvelope } from "../format/envelope.ts";
import { indexToJson, type IndexedPack } from "../format/index-file.ts";
import { shortId, type ObjectId } from "../format/object-id.ts";
import { readPackHeader } from "../repository/adopt-packs.ts";
import { lockRepository } from "../repository/lock.ts";
import type { Repository } from "../repository/repository.ts";

export type RepairIndexPlan = {
  readonly packs: readonly IndexedPack[];
  /** Packs whose header cannot be read, and why; what they hold is lost unless a replica has it. */
  readonly unreadable: readonly { readonly id: ObjectId; readonly reason: string }[];
  /** The index files that will be replaced. */
  readonly replaces: readonly ObjectId[];
};

const READS_AT_ONCE_MAX = 8;
/** restic's bound for one index file. */
const INDEX_BLOBS_MAX = 50_000;

/** Reads every pack's header. Changes nothing. */
export async function planRepairIndex(
  repository: Repository,
  signal?: AbortSignal,
): Promise<RepairIndexPlan> {
  const listed = await Array.fromAsync(repository.backend.list("data", signal));
  const packs: IndexedPack[] = [];
  const unreadable: { id: ObjectId; reason: string }[] = [];
  await eachAtOnce(listed, READS_AT_ONCE_MAX, async ({ name, sizeBytes }) => {
    signal?.throwIfAborted();
    const id = name as ObjectId; // Backends list only names of the right form.
    const blobs = await readPackHeader(repository, id, sizeBytes, signal).catch((cause: unknown) =>
      messageOf(cause),
    );
    if (typeof blobs === "string") unreadable.push({ id, reason: `pack ${shortId(id)}: ${blobs}` });
    else packs.push({ id, blobs });
  });
  const indexes = await Array.fromAsync(repository.backend.list("index", signal));
  return { packs, unreadable, replaces: indexes.map(({ name }) => name as ObjectId) };
}

/** Writes the new index files, then removes the old ones: at every moment some index names each blob. */
export async function executeRepairIndex(repository: Repository, plan: RepairIndexPlan): Promise<void> {
  await using _lock = await lockRepository(repository, "exclusive");
  const written = new Set<string>();
  for (const packs of inPortions(plan.packs)) {
    const { id, sealed } = closeEnvelope(repository.key, repository.config.version, indexToJson(packs));
    await repository.backend.write({ kind: "index", name: id }, [sealed]);
    written.add(id);
  }
  for (const name of plan.replaces) {
    if (!written.has(name)) await repository.backend.remove({ kind: "index", name });
  }
}

function* inPortions(packs: readonly IndexedPack[]): IterableIterator<readonly IndexedPack[]> {
  let portion: IndexedPack[] = [];
  let blobs = 0;
  for (const pack of packs) {
    portion.push(pack);
    blobs += pack.blobs.length;
    if (blobs < INDEX_BLOBS_MAX) continue;
    yield portion;
    portion = [];
    blobs = 0;
  }
  if (portion.length > 0) yield portion;
}
