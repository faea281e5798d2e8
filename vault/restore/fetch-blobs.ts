/** Bringing many blobs out of a repository in the order they lie there: each pack is read once, and only what is needed of it. */

import { eachAtOnce, must } from "@mainstay/kit";
import type { ObjectId } from "../format/object-id.ts";
import type { BlobPlace } from "../index/blob-table.ts";
import { missingBlob, readBlob } from "../repository/blob-reader.ts";
import type { Repository } from "../repository/repository.ts";
import { ownBuffer } from "../work/pool.ts";

/** A blob and where its plaintext goes. */
export type Wanted<Target> = { readonly id: ObjectId; readonly target: Target };

export type FetchOptions<Target> = {
  /** Called once per wanted blob, in no order; at most a few at once. `plain` is lent until the promise settles. */
  readonly deliver: (plain: Uint8Array, target: Target) => Promise<void>;
  readonly signal?: AbortSignal | undefined;
};

type PlacedBlob<Target> = BlobPlace & { readonly targets: Target[] };

/** Reading across a gap this large costs less than another request. */
const GAP_BYTES_MAX = 64 * 1024;
const READ_BYTES_MAX = 16 * 1024 * 1024;
/** What was compressed a hundredfold must not fill the memory when it is opened. */
const PLAIN_BYTES_MAX = 32 * 1024 * 1024;
const READS_AT_ONCE_MAX = 4;

/** Errors: those of `readBlob`; the first failure of `deliver`. */
export async function fetchBlobs<Target>(
  repository: Repository,
  wanted: Iterable<Wanted<Target>>,
  options: FetchOptions<Target>,
): Promise<void> {
  const reads = planReads(placeAll(repository, wanted));
  await eachAtOnce(reads, READS_AT_ONCE_MAX, async (blobs) => {
    options.signal?.throwIfAborted();
    const first = must(blobs[0], "a read has blobs");
    const end = Math.max(...blobs.map((blob) => blob.offset + blob.length));
    const range = { offset: first.offset, length: end - first.offset };
    const sealed = await readRange(repository, first.pack, range, options.signal);
    if (sealed === undefined) return deliverOneByOne(repository, blobs, options);
    const { bytes, opened } = await repository.pool.run({
      kind: "open",
      buffer: ownBuffer(sealed),
      blobs: blobs.map(({ id, offset, length, rawLength }) => ({
        id,
        start: offset - first.offset,
        length,
        rawLength,
      })),
    });
    for (const [index, blob] of blobs.entries()) {
      const result = must(opened[index], "every blob is answered for");
      if (result.state === "opened") {
        const plain = bytes.subarray(result.start, result.start + result.length);
        for (const target of blob.targets) await options.deliver(plain, target);
      } else await deliverOneByOne(repository, [blob], options);
    }
  });
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
async function deliverOneByOne<Target>(
  repository: Repository,
  blobs: readonly PlacedBlob<Target>[],
  { deliver, signal }: FetchOptions<Target>,
): Promise<void> {
  for (const { id, targets } of blobs) {
    const plain = await readBlob(repository, "data", id, signal);
    for (const target of targets) await deliver(plain, target);
  }
}

function placeAll<Target>(
  repository: Repository,
  wanted: Iterable<Wanted<Target>>,
): Iterable<PlacedBlob<Target>> {
  const placed = new Map<ObjectId, PlacedBlob<Target>>();
  for (const { id, target } of wanted) {
    const known = placed.get(id);
    if (known !== undefined) {
      known.targets.push(target);
      continue;
    }
    const place = repository.table.get(id, "data");
    if (place === undefined) throw missingBlob(repository, "data", id);
    placed.set(id, { ...place, targets: [target] });
  }
  return placed.values();
}

function planReads<Target>(placed: Iterable<PlacedBlob<Target>>): readonly (readonly PlacedBlob<Target>[])[] {
  const byPack = Map.groupBy(placed, (blob) => blob.pack);
  const reads: PlacedBlob<Target>[][] = [];
  for (const blobs of byPack.values()) {
    let read: PlacedBlob<Target>[] = [];
    let plainBytes = 0;
    for (const blob of blobs.sort((left, right) => left.offset - right.offset)) {
      const blobBytes = blob.rawLength === 0 ? blob.length : blob.rawLength;
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
