/** What the restore points need: their directories and the content of their files, down to the last blob. */

import { eachAtOnce } from "@mainstay/kit";
import { vaultErrors } from "../errors.ts";
import type { ObjectId } from "../format/object-id.ts";
import type { BlobType } from "../format/pack-header.ts";
import type { Snapshot } from "../format/snapshot.ts";
import { readTree } from "../repository/blob-reader.ts";
import type { Repository } from "../repository/repository.ts";

export type MissingBlob = { readonly type: BlobType; readonly id: ObjectId };

export type UsedBlobs = {
  /** 1 where a blob is needed, by its number in the table. */
  readonly marks: Uint8Array;
  /** Needed, and in no index. */
  readonly missing: readonly MissingBlob[];
};

const READS_AT_ONCE_MAX = 8;

/** The index must be loaded. Errors: those of `readTree` for a directory that cannot be read; `vault.plan-outdated`. */
export async function findUsedBlobs(
  repository: Repository,
  snapshots: readonly Snapshot[],
  signal?: AbortSignal,
): Promise<UsedBlobs> {
  const { table } = repository;
  const { packs, size } = table;
  const marks = new Uint8Array(size);
  const missing = new Map<ObjectId, MissingBlob>();
  /** Whether it is met for the first time. */
  const mark = (id: ObjectId, type: BlobType): boolean => {
    const number = table.numberOf(id, type);
    if (number === undefined) {
      missing.set(id, { id, type });
      return false;
    }
    if (marks[number] === 1) return false;
    marks[number] = 1;
    return true;
  };
  let waiting = snapshots.map(({ tree }) => tree).filter((tree) => mark(tree, "tree"));
  while (waiting.length > 0) {
    const below: ObjectId[] = [];
    await eachAtOnce(waiting, READS_AT_ONCE_MAX, async (tree) => {
      signal?.throwIfAborted();
      for (const node of await readTree(repository, tree, signal)) {
        for (const id of node.content ?? []) mark(id, "data");
        if (node.subtree !== undefined && mark(node.subtree, "tree")) below.push(node.subtree);
      }
    });
    waiting = below;
  }
  // A read that met a pack that is gone has loaded the index anew; the marks are then of blobs by their old numbers.
  if (table.packs !== packs || table.size !== size)
    throw vaultErrors.error(
      "plan-outdated",
      `Cannot tell what the restore points of ${repository.backend.location} need: its index changed meanwhile; try again`,
    );
  return { marks, missing: [...missing.values()] };
}
