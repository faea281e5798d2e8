/** One disk into an image: decides what must be read, reads it in portions, and stores what the repository lacks. */

import { assert, eachAtOnce } from "@mainstay/kit";
import type { Extent } from "@mainstay/nbd";
import {
  chunkCountOf,
  chunkLength,
  CHUNKS_PER_SEGMENT,
  createImageWriter,
  isDamage,
  layoutAfter,
  type BlobWriter,
  type DiskImage,
  type ImageLayout,
  type ObjectId,
  type Repository,
} from "@mainstay/vault";
import { planChunks, type ChunkRun } from "./chunk-plan.ts";
import type { CapturedDisk } from "./image-capture.ts";
import type { ImageSource } from "./image-source.ts";

export type DiskResult = {
  readonly name: string;
  readonly sizeBytes: number;
  readonly readBytes: number;
  /** Whether all of it was looked at, or only what changed. */
  readonly coverage: "whole" | "changes";
};

export type WrittenDisk = DiskResult & { readonly tree: ObjectId };

export type DiskWork = {
  readonly repository: Repository;
  readonly writer: BlobWriter;
  readonly onBytes: (doneBytes: number, totalBytes: number) => void;
};

/** How much is read and handed to the threads at once. */
export const BUFFER_BYTES = 4 * 1024 * 1024;
/** More than there are buffers, so that the next read is always waiting for one. */
const RUNS_AT_ONCE_MAX = 24;

/** Stores the disk as `/disks/<name>`. `image` is the same disk in the parent restore point. */
export async function writeDisk(
  work: DiskWork,
  { name, source }: CapturedDisk,
  image: DiskImage | undefined,
): Promise<WrittenDisk> {
  const { layout, base, runs } = await planDisk(work.repository, source, image);
  const imageWriter = createImageWriter(work.writer, layout, base);
  const dataRuns = runs.filter((run) => run.kind === "data");
  const totalBytes = dataRuns.reduce((sum, run) => sum + bytesOf(layout, run), 0);
  let readBytes = 0;
  for (const run of runs) if (run.kind === "zero") imageWriter.putZeros(run.firstChunk, run.chunkCount);
  await eachAtOnce(dataRuns, RUNS_AT_ONCE_MAX, async (run) => {
    const buffer = await work.writer.reserve();
    const length = bytesOf(layout, run);
    try {
      await source.readInto(buffer.bytes.subarray(0, length), run.firstChunk * layout.chunkBytes);
    } catch (cause) {
      buffer.release();
      throw cause;
    }
    await imageWriter.put(buffer, run.firstChunk, run.chunkCount);
    readBytes += length;
    work.onBytes(readBytes, totalBytes);
  });
  const coverage = base === undefined ? "whole" : "changes";
  return { name, sizeBytes: source.sizeBytes, coverage, readBytes, tree: await imageWriter.finish() };
}

type DiskPlan = {
  readonly layout: ImageLayout;
  /** What chunks in no run are taken from; absent if the runs cover the disk. */
  readonly base: DiskImage | undefined;
  readonly runs: readonly ChunkRun[];
};

async function planDisk(
  repository: Repository,
  source: ImageSource,
  image: DiskImage | undefined,
): Promise<DiskPlan> {
  const layout = layoutAfter(source.sizeBytes, image?.layout);
  if (source.coverage === "changes" && image !== undefined && isAlike(layout, image.layout)) {
    const runs = planChunks(source.extents, layout, BUFFER_BYTES);
    if (await isSound(repository, image, runs)) return { layout, base: image, runs };
  }
  // Changes say nothing without what they changed: then the disk is read whole.
  const extents: readonly Extent[] =
    source.coverage === "whole" ? source.extents : await source.wholeExtents();
  const runs = planChunks(extents, layout, BUFFER_BYTES);
  const covered = runs.reduce((sum, run) => sum + run.chunkCount, 0);
  assert(covered === chunkCountOf(layout), "the extents of a whole disk leave nothing out");
  return { layout, base: undefined, runs };
}

function isAlike(layout: ImageLayout, other: ImageLayout): boolean {
  return layout.sizeBytes === other.sizeBytes && layout.chunkBytes === other.chunkBytes;
}

/** Whether all is there that would be taken from the parent: damage in it must not be inherited, nor stop every backup to come. */
async function isSound(
  repository: Repository,
  image: DiskImage,
  runs: readonly ChunkRun[],
): Promise<boolean> {
  try {
    for (let segment = 0; segment < image.layout.segmentCount; segment += 1) {
      const tree = await image.segmentTree(segment);
      if (tree === undefined || !repository.table.has(tree, "tree")) return false;
    }
    for (const segment of touchedSegments(runs)) await image.segmentChunks(segment);
    return true;
  } catch (cause) {
    if (isDamage(cause)) return false;
    throw cause;
  }
}

function touchedSegments(runs: readonly ChunkRun[]): ReadonlySet<number> {
  const segments = new Set<number>();
  for (const { firstChunk, chunkCount } of runs) {
    const last = Math.floor((firstChunk + chunkCount - 1) / CHUNKS_PER_SEGMENT);
    for (let at = Math.floor(firstChunk / CHUNKS_PER_SEGMENT); at <= last; at += 1) segments.add(at);
  }
  return segments;
}

function bytesOf(layout: ImageLayout, run: ChunkRun): number {
  const last = run.firstChunk + run.chunkCount - 1;
  return (run.chunkCount - 1) * layout.chunkBytes + chunkLength(layout, last);
}
