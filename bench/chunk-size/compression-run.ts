/** What each zstd level makes of a disk's chunks, and how fast; one thread, as a worker does it. */

import { open } from "node:fs/promises";
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { fileExtents } from "@mainstay/nbd";
import { MIB } from "@mainstay/kit";

export type LevelFigures = {
  readonly level: number;
  /** Compressed ÷ plain. */
  readonly share: number;
  readonly compressBytesPerSecond: number;
  readonly decompressBytesPerSecond: number;
};

const SAMPLE_BYTES = 192 * MIB;

/** Processor time, not wall time: others may be at work on the machine. */
export async function compareLevels(
  path: string,
  chunkBytes: number,
  levels: readonly number[],
): Promise<readonly LevelFigures[]> {
  const chunks = await sampleChunks(path, chunkBytes);
  const plainBytes = chunks.length * chunkBytes;
  return levels.map((level) => {
    const params = { [constants.ZSTD_c_compressionLevel]: level };
    const startUs = processorUs();
    const packed = chunks.map((chunk) => zstdCompressSync(chunk, { params, chunkSize: chunkBytes + 1024 }));
    const middleUs = processorUs();
    for (const bytes of packed) zstdDecompressSync(bytes, { chunkSize: chunkBytes + 1024 });
    const endUs = processorUs();
    const packedBytes = packed.reduce((sum, bytes) => sum + Math.min(bytes.length, chunkBytes), 0);
    return {
      level,
      share: packedBytes / plainBytes,
      compressBytesPerSecond: plainBytes / ((middleUs - startUs) / 1e6),
      decompressBytesPerSecond: plainBytes / ((endUs - middleUs) / 1e6),
    };
  });
}

/** Every so many chunks of the data, so that all kinds are among them. */
async function sampleChunks(path: string, chunkBytes: number): Promise<readonly Buffer[]> {
  const extents = (await fileExtents(path)).filter(({ kind }) => kind === "data");
  const places = extents.flatMap(({ offset, length }) =>
    Array.from({ length: Math.floor(length / chunkBytes) }, (_, index) => offset + index * chunkBytes),
  );
  const step = Math.max(1, Math.floor((places.length * chunkBytes) / SAMPLE_BYTES));
  await using file = await open(path);
  const chunks: Buffer[] = [];
  for (let index = 0; index < places.length; index += step) {
    const chunk = Buffer.alloc(chunkBytes);
    await file.read(chunk, 0, chunkBytes, places[index] ?? 0);
    chunks.push(chunk);
  }
  return chunks;
}

function processorUs(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}
