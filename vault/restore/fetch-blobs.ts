/** Bringing many blobs out of a repository in the order they lie there: each pack is read once, and only what is needed of it. */

import { eachAtOnce, must } from "@mainstay/kit";
import { SEAL_OVERHEAD_BYTES } from "../crypto/seal.ts";
import type { ObjectId } from "../format/object-id.ts";
import type { BlobPlace } from "../index/blob-table.ts";
import { missingBlob, readBlob } from "../repository/blob-reader.ts";
import type { Repository } from "../repository/repository.ts";
import { writePlace, type Place } from "../work/place.ts";
import { ownBuffer } from "../work/pool.ts";

/** A blob and where its plaintext goes. */
export type Wanted = { readonly id: ObjectId; readonly place: Place };

export type FetchOptions = {
  /** Plaintext bytes that were written since the last call. */
  readonly onWritten: (count: number) => void;
  readonly signal?: AbortSignal | undefined;
};

type WantedBlob = BlobPlace & { readonly places: Place[] };

/** Reading across a gap this large costs less than another request. */
const GAP_BYTES_MAX = 64 * 1024;
const READ_BYTES_MAX = 4 * 1024 * 1024;
/** What was compressed a hundredfold must not fill the memory when it is opened. */
const PLAIN_BYTES_MAX = 16 * 1024 * 1024;
const READS_AT_ONCE_MAX = 4;
/**
 * Writes every wanted blob to its place. When it rejects, nothing is being written any more.
 *
 * Errors: those of `readBlob`; what the operating system says of the first write that failed.
 */
export async function fetchBlobs(
  repository: Repository,
  wanted: Iterable<Wanted>,
  options: FetchOptions,
): Promise<void> {
  const reads = planReads(placeAll(repository, wanted));
  await eachAtOnce(reads, READS_AT_ONCE_MAX, async (blobs) => {
    options.signal?.throwIfAborted();
    const first = must(blobs[0], "a read has blobs");
    const end = Math.max(...blobs.map((blob) => blob.offset + blob.length));
    const range = { offset: first.offset, length: end - first.offset };
    const sealed = await readRange(repository, first.pack, range, options.signal);
    if (sealed === undefined) return placeOneByOne(repository, blobs, options);
    const { placement } = await repository.pool.run({
      kind: "place",
      buffer: ownBuffer(sealed),
      blobs: blobs.map(({ id, offset, length, rawLength, places }) => ({
        id,
        start: offset - first.offset,
        length,
        rawLength,
        places,
      })),
    });
    const { damaged, failure } = placement;
    if (failure !== undefined) throw Object.assign(new Error(failure.message), { code: failure.code });
    const isDamaged = new Set(damaged);
    options.onWritten(bytesWritten(blobs.filter((_, index) => !isDamaged.has(index))));
    await placeOneByOne(
      repository,
      blobs.filter((_, index) => isDamaged.has(index)),
      options,
    );
  });
}

function bytesWritten(blobs: readonly WantedBlob[]): number {
  return blobs.reduce((sum, blob) => sum + plainBytesOf(blob) * blob.places.length, 0);
}

function plainBytesOf({ rawLength, length }: BlobPlace): number {
  return rawLength === 0 ? length - SEAL_OVERHEAD_BYTES : rawLength;
}

/** `undefined` if the pack cannot be read: its blobs may have twins elsewhere. */
async function readRange(
  repository: Repository,
  pack: ObjectId,
  range: { offset: number; length: number },
  signal?: AbortSignal,
): Promise<Uint8Array | undefined> {
  try {
    return await repository.backend.read({ kind: "data", name: pack }, range, signal);
  } catch {
    signal?.throwIfAborted();
    return undefined;
  }
}

/** The slow way, which tries every copy of a blob and says what is wrong if none is whole. */
async function placeOneByOne(
  repository: Repository,
  blobs: readonly WantedBlob[],
  { onWritten, signal }: FetchOptions,
): Promise<void> {
  for (const blob of blobs) {
    const plain = await readBlob(repository, "data", blob.id, signal);
    for (const place of blob.places) writePlace(plain, place);
    onWritten(plain.length * blob.places.length);
  }
}

function placeAll(repository: Repository, wanted: Iterable<Wanted>): Iterable<WantedBlob> {
  const placed = new Map<ObjectId, WantedBlob>();
  for (const { id, place } of wanted) {
    const known = placed.get(id);
    if (known !== undefined) {
      known.places.push(place);
      continue;
    }
    const found = repository.table.get(id, "data");
    if (found === undefined) throw missingBlob(repository, "data", id);
    placed.set(id, { ...found, places: [place] });
  }
  return placed.values();
}

function planReads(placed: Iterable<WantedBlob>): readonly (readonly WantedBlob[])[] {
  const byPack = Map.groupBy(placed, (blob) => blob.pack);
  const reads: WantedBlob[][] = [];
  for (const blobs of byPack.values()) {
    let read: WantedBlob[] = [];
    let plainBytes = 0;
    for (const blob of blobs.sort((left, right) => left.offset - right.offset)) {
      const blobBytes = plainBytesOf(blob);
      plainBytes += blobBytes;
      if (isBeyond(read, blob) || (read.length > 0 && plainBytes > PLAIN_BYTES_MAX)) {
        reads.push(read);
        read = [];
        plainBytes = blobBytes;
      }
      read.push(blob);
    }
    reads.push(read);
  }
  return reads;
}

/** Whether the blob lies too far from what is read already. */
function isBeyond(read: readonly BlobPlace[], blob: BlobPlace): boolean {
  const [first, last] = [read[0], read.at(-1)];
  if (first === undefined || last === undefined) return false;
  const gapBytes = blob.offset - (last.offset + last.length);
  return gapBytes > GAP_BYTES_MAX || blob.offset + blob.length - first.offset > READ_BYTES_MAX;
}
