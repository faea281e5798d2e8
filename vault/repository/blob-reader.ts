/** Reading content: one blob, one tree. */

import { vaultErrors } from "../errors.ts";
import { shortId, type ObjectId } from "../format/object-id.ts";
import type { BlobType } from "../format/pack-header.ts";
import { decodeTree, type TreeNode } from "../format/tree.ts";
import { loadIndex } from "../index/load-index.ts";
import { ownBuffer } from "../work/pool.ts";
import { openBlob } from "../work/tasks.ts";
import type { Repository } from "./repository.ts";

/**
 * The plaintext of a blob, checked against its id; never wrong bytes. If one copy is damaged, a twin in another pack is used;
 * if its pack is gone, the index is loaded anew.
 *
 * Errors: `vault.missing-blob`, `vault.damaged-blob`, `vault.file-missing` (its pack), and those of the backend.
 */
export async function readBlob(
  repository: Repository,
  type: BlobType,
  id: ObjectId,
  signal?: AbortSignal,
): Promise<Buffer> {
  const tried = new Set<string>();
  const first = await readSomeCopy(repository, { type, id }, tried, signal);
  if (first.state === "read") return first.plain;
  if (!vaultErrors.is(first.cause, "file-missing")) throw first.cause;
  // A prune may have moved it since the index was loaded, as under a machine that has run for days.
  await loadIndex(repository, signal).catch(() => undefined);
  const again = await readSomeCopy(repository, { type, id }, tried, signal);
  if (again.state === "read") return again.plain;
  throw first.cause;
}

type Copy =
  | { readonly state: "read"; readonly plain: Buffer }
  | { readonly state: "failed"; readonly cause: unknown };

/** Tries the places that are not in `tried`, and notes them there. */
async function readSomeCopy(
  repository: Repository,
  { type, id }: { readonly type: BlobType; readonly id: ObjectId },
  tried: Set<string>,
  signal?: AbortSignal,
): Promise<Copy> {
  let failure: unknown;
  for (const place of repository.table.places(id, type)) {
    const key = `${place.pack}@${place.offset}`;
    if (tried.has(key)) continue;
    tried.add(key);
    try {
      const range = { offset: place.offset, length: place.length };
      const sealed = await repository.backend.read({ kind: "data", name: place.pack }, range, signal);
      const plain = openBlob(repository.key, sealed, place);
      if (typeof plain !== "string") return { state: "read", plain };
      failure ??= damagedBlob(id, place.pack, plain);
    } catch (cause) {
      signal?.throwIfAborted();
      failure ??= cause;
    }
  }
  return { state: "failed", cause: failure ?? missingBlob(repository, type, id) };
}

/** Like {@link readBlob} for data, opened by a worker thread: for reading ahead, where the wait for a thread does not count. */
export async function readBlobOnPool(repository: Repository, id: ObjectId): Promise<Buffer> {
  const place = repository.table.get(id, "data");
  if (place === undefined) throw missingBlob(repository, "data", id);
  const { pack, offset, length, rawLength } = place;
  try {
    const sealed = await repository.backend.read({ kind: "data", name: pack }, { offset, length });
    const blobs = [{ id, start: 0, length, rawLength }];
    const { bytes, opened } = await repository.pool.run({ kind: "open", buffer: ownBuffer(sealed), blobs });
    if (opened[0]?.state === "opened") return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  } catch {
    // The slow way below tries every copy and says what is wrong.
  }
  return readBlob(repository, "data", id);
}

/** The entries of a directory. Errors: those of {@link readBlob}, `vault.damaged-tree`. */
export async function readTree(
  repository: Repository,
  id: ObjectId,
  signal?: AbortSignal,
): Promise<readonly TreeNode[]> {
  const nodes = decodeTree(await readBlob(repository, "tree", id, signal));
  if (typeof nodes !== "string") return nodes;
  throw vaultErrors.error(
    "damaged-tree",
    `Cannot read directory ${shortId(id)} of ${repository.backend.location}: ${nodes}; restore from another restore point`,
    { values: { tree: id } },
  );
}

export function damagedBlob(id: string, pack: string, why: string): Error {
  return vaultErrors.error(
    "damaged-blob",
    `Cannot read blob ${shortId(id)} in pack ${shortId(pack)}: ${why}; fetch the pack from a replica, or run "mainstay vault check --read-data" to see what it affects`,
    { values: { blob: id, pack } },
  );
}

/** The index or a tree told another length than the content has: giving it out would shift what follows. */
export function damagedLength(id: string, foundBytes: number, wantedBytes: number): Error {
  return vaultErrors.error(
    "damaged-blob",
    `Cannot use blob ${shortId(id)}: it has ${foundBytes} bytes, wanted ${wantedBytes}; run "mainstay vault check --read-data", or restore from another restore point`,
    { values: { blob: id, foundBytes, wantedBytes } },
  );
}

export function missingBlob(repository: Repository, type: BlobType, id: string): Error {
  return vaultErrors.error(
    "missing-blob",
    `Cannot read ${type} blob ${shortId(id)} of ${repository.backend.location}: no index names it; run "mainstay vault repair-index", and if it is still missing fetch its pack from a replica`,
    { values: { blob: id, type } },
  );
}
