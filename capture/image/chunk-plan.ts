/** Which chunks of a disk must be read, and in what portions: extents of any alignment → runs of whole chunks. */

import type { Extent } from "@mainstay/nbd";
import type { ImageLayout } from "@mainstay/vault";

/** Chunks `[firstChunk, firstChunk + chunkCount)`. Chunks in no run are as in the parent. */
export type ChunkRun = {
  readonly kind: "data" | "zero";
  readonly firstChunk: number;
  readonly chunkCount: number;
};

/**
 * A chunk that any data extent touches is data; one that only zero extents cover is zero if they cover all of it, and data
 * otherwise. Data runs are at most `runBytesMax` long.
 */
export function planChunks(
  extents: readonly Extent[],
  { chunkBytes, sizeBytes }: Pick<ImageLayout, "chunkBytes" | "sizeBytes">,
  runBytesMax: number,
): readonly ChunkRun[] {
  const chunksMax = Math.max(1, Math.floor(runBytesMax / chunkBytes));
  const runs: ChunkRun[] = [];
  let nextChunk = 0;
  const push = (kind: ChunkRun["kind"], from: number, to: number): void => {
    for (let first = Math.max(from, nextChunk); first < to;) {
      const last = runs.at(-1);
      const room = last?.kind === kind && last.firstChunk + last.chunkCount === first;
      const taken = room && (kind === "zero" || last.chunkCount < chunksMax) ? last : undefined;
      const limit = kind === "zero" ? to : first + chunksMax - (taken?.chunkCount ?? 0);
      const end = Math.min(to, limit);
      if (taken !== undefined) runs.pop();
      const firstChunk = taken?.firstChunk ?? first;
      runs.push({ kind, firstChunk, chunkCount: end - firstChunk });
      first = end;
      nextChunk = end;
    }
  };
  for (const { offset, length, kind } of extents) {
    if (length === 0) continue;
    const end = offset + length;
    if (kind === "data") {
      push("data", Math.floor(offset / chunkBytes), Math.ceil(end / chunkBytes));
      continue;
    }
    const firstWhole = Math.ceil(offset / chunkBytes);
    // The disk's last chunk may be shorter than the others and is whole all the same.
    const endWhole = end === sizeBytes ? Math.ceil(end / chunkBytes) : Math.floor(end / chunkBytes);
    if (firstWhole >= endWhole) push("data", Math.floor(offset / chunkBytes), Math.ceil(end / chunkBytes));
    else {
      push("data", Math.floor(offset / chunkBytes), firstWhole);
      push("zero", firstWhole, endWhole);
      push("data", endWhole, Math.ceil(end / chunkBytes));
    }
  }
  return runs;
}
