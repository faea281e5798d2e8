/**
 * Content-defined chunking that cuts where restic cuts: where the Rabin fingerprint of the last 64 bytes ends in zeros, but
 * never before `minBytes` and always at `maxBytes`. The same content is cut alike wherever it lies, so it is stored once.
 */

import { assert } from "@mainstay/kit";
import { hotPath, PIECE_BYTES_MAX, SCRATCH_AT } from "../wasm/hot-path.ts";

/** How far a fingerprint looks back. */
const WINDOW_BYTES = 64;

export type ChunkSizes = {
  readonly minBytes: number;
  readonly maxBytes: number;
  /** A cut is expected every 2 to the power of this, once the minimum is reached. */
  readonly averageBits: number;
};

export const RESTIC_CHUNK_SIZES: ChunkSizes = {
  minBytes: 512 * 1024,
  maxBytes: 8 * 1024 * 1024,
  averageBits: 20,
};

/** Finds the cuts of one stream. Keeps 64 bytes of it and nothing more. */
export type Chunker = {
  /**
   * Takes the next bytes of the stream, however many. Gives the offsets in `bytes` at which a chunk ends (and the next one
   * begins), ascending, each between 1 and `bytes.length`.
   */
  push(bytes: Uint8Array): number[];
  /** Ends the stream: the length of the last chunk, 0 if the stream ended with a cut. Ready for another stream then. */
  finish(): number;
};

/** A chunker for `polynomial` (of degree 53, irreducible: see `polynomial.ts`). */
export function createChunker(polynomial: bigint, sizes: ChunkSizes = RESTIC_CHUNK_SIZES): Chunker {
  assert(polynomial >> 53n === 1n, "a chunker's polynomial has degree 53");
  assert(sizes.minBytes >= WINDOW_BYTES, "a chunk is at least as long as the window");
  assert(sizes.maxBytes >= sizes.minBytes, "the longest chunk is not shorter than the shortest");
  const mask = (1n << BigInt(sizes.averageBits)) - 1n;
  const before = new Uint8Array(WINDOW_BYTES);
  let openBytes = 0;

  const nextCut = (bytes: Uint8Array, from: number): number | undefined => {
    // The cut at exactly `minBytes` is allowed, so the last byte before it is the first one to scan.
    const first = from + Math.max(0, sizes.minBytes - 1 - openBytes);
    const last = from + sizes.maxBytes - openBytes;
    const end = Math.min(bytes.length, last);
    const cut = first < end ? scan(polynomial, mask, before, bytes, first, end) : undefined;
    return cut ?? (last <= bytes.length ? last : undefined);
  };

  return {
    push: (bytes) => {
      const cuts: number[] = [];
      let from = 0;
      for (let cut = nextCut(bytes, from); cut !== undefined; cut = nextCut(bytes, from)) {
        cuts.push(cut);
        from = cut;
        openBytes = 0;
      }
      openBytes += bytes.length - from;
      remember(before, bytes);
      return cuts;
    },
    finish: () => {
      const length = openBytes;
      openBytes = 0;
      return length;
    },
  };
}

/** The end of the first window in `bytes[first, end)` that is a cut. `before` holds the 64 bytes ahead of `bytes`. */
function scan(
  polynomial: bigint,
  mask: bigint,
  before: Uint8Array,
  bytes: Uint8Array,
  first: number,
  end: number,
): number | undefined {
  const { memory, rabinPrepare, rabinScan } = hotPath();
  rabinPrepare(polynomial);
  for (let at = first; at < end; at += PIECE_BYTES_MAX) {
    const pieceEnd = Math.min(end, at + PIECE_BYTES_MAX);
    const windowStart = at - WINDOW_BYTES;
    if (windowStart < 0) memory.set(before.subarray(at), SCRATCH_AT);
    memory.set(bytes.subarray(Math.max(0, windowStart), pieceEnd), SCRATCH_AT + Math.max(0, -windowStart));
    const found = rabinScan(SCRATCH_AT + WINDOW_BYTES, pieceEnd - at, mask);
    if (found > 0) return at + found;
  }
  return undefined;
}

/** Keeps the last 64 bytes seen. */
function remember(before: Uint8Array, bytes: Uint8Array): void {
  const kept = WINDOW_BYTES - bytes.length;
  if (kept > 0) before.copyWithin(0, bytes.length);
  before.set(bytes.subarray(Math.max(0, -kept)), Math.max(0, kept));
}
