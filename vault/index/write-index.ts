/** Writing index files: what they name is durable before they are. */

import { closeEnvelope } from "../format/envelope.ts";
import { indexToJson, type IndexedPack } from "../format/index-file.ts";
import type { ObjectId } from "../format/object-id.ts";
import type { Repository } from "../repository/repository.ts";

/** restic's bound for one index file; a reader parses a file whole. */
export const INDEX_BLOBS_MAX = 50_000;

export type WrittenIndexes = { readonly ids: readonly ObjectId[]; readonly storedBytes: number };

/** Stores as many index files as the packs need; resolves when all are durable. Errors: those of the backend. */
export async function writeIndexes(
  repository: Pick<Repository, "backend" | "config" | "key">,
  packs: Iterable<IndexedPack>,
  signal?: AbortSignal,
): Promise<WrittenIndexes> {
  const { key, config, backend } = repository;
  const ids: ObjectId[] = [];
  let storedBytes = 0;
  for (const portion of inPortions(packs)) {
    const { id, sealed } = closeEnvelope(key, config.version, indexToJson(portion));
    await backend.write({ kind: "index", name: id }, [sealed], signal);
    ids.push(id);
    storedBytes += sealed.length;
  }
  return { ids, storedBytes };
}

function* inPortions(packs: Iterable<IndexedPack>): IterableIterator<readonly IndexedPack[]> {
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
