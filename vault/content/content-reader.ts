/** Reading a file of a restore point at any offset, with a bounded cache and reading ahead. */

import { assert, limiter } from "@mainstay/kit";
import type { ObjectId } from "../format/object-id.ts";
import { damagedLength, readBlob, readBlobOnPool } from "../repository/blob-reader.ts";
import type { Repository } from "../repository/repository.ts";
import type { ContentMap, Piece } from "./content-map.ts";

export type ReaderOptions = {
  /** Plaintext kept in memory. */
  readonly cacheBytesMax?: number | undefined;
  /** How far a sequential reader is run ahead of. */
  readonly readAheadBytes?: number | undefined;
};

export type ContentReader = {
  readonly sizeBytes: number;
  /** Exactly `length` bytes, all within the file; rejects as `readBlob` does rather than give wrong ones. */
  read(offset: number, length: number, signal?: AbortSignal): Promise<Buffer>;
  /** Brings the blobs of the range into the cache; failures are left to the read that needs them. */
  prefetch(offset: number, length: number): Promise<void>;
  readonly map: ContentMap;
  figures(): { readonly hits: number; readonly misses: number; readonly blobBytes: number };
};

const CACHE_BYTES_MAX = 128 * 1024 * 1024;
const READ_AHEAD_BYTES = 2 * 1024 * 1024;
const LOADS_AT_ONCE_MAX = 8;

export function openReader(
  repository: Repository,
  map: ContentMap,
  options: ReaderOptions = {},
): ContentReader {
  const { cacheBytesMax = CACHE_BYTES_MAX, readAheadBytes = READ_AHEAD_BYTES } = options;
  const { load, figures } = blobLoader(repository, cacheBytesMax);
  let sequentialEnd = -1;

  const prefetch = async (offset: number, length: number): Promise<void> => {
    const within = Math.min(length, map.sizeBytes - offset);
    if (within <= 0) return;
    const pieces = await map.pieces(offset, within).catch(() => []);
    await Promise.allSettled(pieces.filter((piece) => !piece.isZero).map((piece) => load(piece, "pool")));
  };

  return {
    sizeBytes: map.sizeBytes,
    map,
    prefetch,
    figures: () => ({ ...figures }),
    read: async (offset, length, signal) => {
      assert(offset >= 0 && length >= 0 && offset + length <= map.sizeBytes, "a read stays within the file");
      const target = Buffer.alloc(length);
      const pieces = await map.pieces(offset, length);
      const isSequential = offset === sequentialEnd;
      // One small read is answered soonest from here; many blobs are opened side by side.
      const on = isSequential || pieces.length > 2 ? "pool" : "this thread";
      sequentialEnd = offset + length;
      await Promise.all(
        pieces.map(async (piece) => {
          if (piece.isZero) return;
          const plain = await load(piece, on);
          signal?.throwIfAborted();
          copyPart(target, offset, plain, piece.start);
        }),
      );
      if (isSequential) void prefetch(sequentialEnd, readAheadBytes);
      return target;
    },
  };
}

type LoadOn = "this thread" | "pool";

/** Blobs by way of a bounded cache; one that several ask for at once is read once. */
function blobLoader(repository: Repository, cacheBytesMax: number) {
  const cache = blobCache(cacheBytesMax);
  const loads = limiter(LOADS_AT_ONCE_MAX);
  const loading = new Map<ObjectId, Promise<Buffer>>();
  const figures = { hits: 0, misses: 0, blobBytes: 0 };

  const fetch = async (piece: Piece, on: LoadOn): Promise<Buffer> => {
    const plain = await (on === "pool"
      ? readBlobOnPool(repository, piece.id)
      : readBlob(repository, "data", piece.id));
    if (plain.length !== piece.length) throw damagedLength(piece.id, plain.length, piece.length);
    cache.put(piece.id, plain);
    figures.blobBytes += plain.length;
    return plain;
  };

  const load = (piece: Piece, on: LoadOn): Promise<Buffer> => {
    const cached = cache.get(piece.id);
    if (cached !== undefined) {
      figures.hits += 1;
      return Promise.resolve(cached);
    }
    let pending = loading.get(piece.id);
    if (pending === undefined) {
      figures.misses += 1;
      // Not bound to one caller's signal: others may wait for the same blob.
      pending = loads.run(() => fetch(piece, on)).finally(() => loading.delete(piece.id));
      loading.set(piece.id, pending);
    }
    return pending;
  };
  return { load, figures };
}

/** Copies what `source`, which lies at `sourceStart` in the file, has of the range that `target` stands for. */
function copyPart(target: Buffer, targetStart: number, source: Buffer, sourceStart: number): void {
  const from = Math.max(targetStart, sourceStart);
  const to = Math.min(targetStart + target.length, sourceStart + source.length);
  source.copy(target, from - targetStart, from - sourceStart, to - sourceStart);
}

/** Least recently used first out; a `Map` keeps the order of insertion. */
function blobCache(bytesMax: number) {
  const kept = new Map<ObjectId, Buffer>();
  let bytes = 0;
  return {
    get: (id: ObjectId): Buffer | undefined => {
      const plain = kept.get(id);
      if (plain !== undefined) {
        kept.delete(id);
        kept.set(id, plain);
      }
      return plain;
    },
    put: (id: ObjectId, plain: Buffer): void => {
      kept.set(id, plain);
      bytes += plain.length;
      for (const [oldest, old] of kept) {
        if (bytes <= bytesMax || oldest === id) break;
        kept.delete(oldest);
        bytes -= old.length;
      }
    },
  };
}
