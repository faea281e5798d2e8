/** Putting needed blobs of mostly unneeded packs into new packs, as they lie, each checked before it is kept. */

import { must } from "@mainstay/kit";
import type { IndexedPack } from "../format/index-file.ts";
import type { ObjectId } from "../format/object-id.ts";
import type { BlobType } from "../format/pack-header.ts";
import type { BlobPlace } from "../index/blob-table.ts";
import { PackBuilder } from "../pack/pack-builder.ts";
import { damagedBlob } from "../repository/blob-reader.ts";
import { isDamage } from "../repository/damage.ts";
import type { Repository } from "../repository/repository.ts";
import { openBlob } from "../work/tasks.ts";

export type Repacked = { readonly packs: readonly IndexedPack[]; readonly writtenBytes: number };

export type RepackOptions = {
  readonly onProgress?: ((doneBytes: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
};

/**
 * Stores copies of the blobs at `places`. Resolves when all are durable; no index names them yet.
 *
 * Errors: `vault.damaged-blob` if no copy of a blob is whole, before anything was taken away.
 */
export async function repackBlobs(
  repository: Repository,
  places: readonly BlobPlace[],
  { onProgress, signal }: RepackOptions = {},
): Promise<Repacked> {
  const packs: IndexedPack[] = [];
  const builders = new Map<BlobType, PackBuilder>();
  let [writtenBytes, doneBytes] = [0, 0];
  const store = async (builder: PackBuilder): Promise<void> => {
    const { id, parts, blobs, sizeBytes } = builder.finish();
    await repository.backend.write({ kind: "data", name: id }, parts, signal);
    packs.push({ id, blobs });
    writtenBytes += sizeBytes;
  };
  for (const [, inPack] of byPack(places)) {
    signal?.throwIfAborted();
    for (const { place, sealed } of await readSealed(repository, inPack, signal)) {
      const builder = builders.get(place.type) ?? new PackBuilder(repository.key);
      builders.set(place.type, builder);
      builder.add(place.id, place.type, sealed, place.rawLength);
      onProgress?.((doneBytes += place.length));
      if (!builder.isFull) continue;
      builders.delete(place.type);
      await store(builder);
    }
  }
  for (const builder of builders.values()) await store(builder);
  return { packs, writtenBytes };
}

/** Whether the copy at this place is what its id says. */
export async function isWhole(
  repository: Repository,
  place: BlobPlace,
  signal?: AbortSignal,
): Promise<boolean> {
  return (await readWhole(repository, place, signal)) !== undefined;
}

type SealedCopy = { readonly place: BlobPlace; readonly sealed: Uint8Array };

/** Each blob of one pack as it lies there, or as it lies in a twin if it is damaged there. */
async function readSealed(
  repository: Repository,
  places: readonly BlobPlace[],
  signal?: AbortSignal,
): Promise<readonly SealedCopy[]> {
  const first = Math.min(...places.map(({ offset }) => offset));
  const end = Math.max(...places.map(({ offset, length }) => offset + length));
  const pack = must(places[0], "a pack of the list has a blob").pack;
  const range = { offset: first, length: end - first };
  const bytes = await repository.backend.read({ kind: "data", name: pack }, range, signal);
  const copies: SealedCopy[] = [];
  for (const place of places) {
    const sealed = bytes.slice(place.offset - first, place.offset - first + place.length);
    const isSound = typeof openBlob(repository.key, sealed, place) !== "string";
    copies.push(isSound ? { place, sealed } : await readTwin(repository, place, signal));
  }
  return copies;
}

async function readTwin(
  repository: Repository,
  damaged: BlobPlace,
  signal?: AbortSignal,
): Promise<SealedCopy> {
  for (const place of repository.table.places(damaged.id, damaged.type)) {
    const sealed = await readWhole(repository, place, signal);
    if (sealed !== undefined) return { place, sealed };
  }
  throw damagedBlob(damaged.id, damaged.pack, "no copy of it is whole");
}

async function readWhole(
  repository: Repository,
  place: BlobPlace,
  signal?: AbortSignal,
): Promise<Uint8Array | undefined> {
  const { pack, offset, length } = place;
  try {
    const sealed = await repository.backend.read({ kind: "data", name: pack }, { offset, length }, signal);
    return typeof openBlob(repository.key, sealed, place) === "string" ? undefined : sealed;
  } catch (cause) {
    if (isDamage(cause)) return undefined;
    throw cause;
  }
}

function byPack(places: readonly BlobPlace[]): ReadonlyMap<ObjectId, readonly BlobPlace[]> {
  const packs = new Map<ObjectId, BlobPlace[]>();
  for (const place of places) {
    const known = packs.get(place.pack);
    if (known === undefined) packs.set(place.pack, [place]);
    else known.push(place);
  }
  return packs;
}
