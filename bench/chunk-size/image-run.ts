/** One disk and its change, stored with one chunk size, restored, and read here and there. */

import { open, rm } from "node:fs/promises";
import { join } from "node:path";
import { KIB, systemClock } from "@mainstay/kit";
import { fileExtents } from "@mainstay/nbd";
import {
  createDiskBackend,
  createImageWriter,
  createRepository,
  executeRestore,
  layoutWith,
  loadIndex,
  openContent,
  openReader,
  openRepository,
  openWriter,
  planRestore,
  saveSnapshot,
  storeImageRoot,
  type Snapshot,
} from "@mainstay/vault";
import { median } from "../measure/report.ts";
import { seededRandom } from "../measure/seeded-random.ts";
import { folderBytes } from "../measure/work-folder.ts";
import type { ChangeTrace } from "./change-trace.ts";

export type ChunkSizeFigures = {
  readonly chunkBytes: number;
  readonly initialBytes: number;
  readonly initialSeconds: number;
  readonly incrementalBytes: number;
  /** Of both. */
  readonly blobs: number;
  readonly indexBytes: number;
  readonly restoreSeconds: number;
  /** A block of 4 KiB that nothing has read before: median and the slowest of twenty. */
  readonly firstReadMs: number;
  readonly firstReadSlowMs: number;
};

const PASSWORD = "bench";
const BUFFER_BYTES = 4 * 1024 * KIB;
const BLOCK_BYTES = 4 * KIB;
const READS = 200;

export async function runChunkSize(
  trace: ChangeTrace,
  chunkBytes: number,
  workFolder: string,
): Promise<ChunkSizeFigures> {
  const folder = join(workFolder, `chunks-${chunkBytes}`);
  const startMs = systemClock.monotonicMs();
  await createRepository({ backend: createDiskBackend(folder), password: PASSWORD }).then((made) =>
    made[Symbol.asyncDispose](),
  );
  await storeImage(folder, trace.before, chunkBytes);
  const initialSeconds = since(startMs);
  const initialBytes = await folderBytes(folder);
  const snapshot = await storeImage(folder, trace.after, chunkBytes);
  const incrementalBytes = (await folderBytes(folder)) - initialBytes;
  const indexBytes = await folderBytes(join(folder, "index"));
  const reads = await readHereAndThere(folder, snapshot, trace.after);
  const restored = await restore(folder, snapshot, join(workFolder, "restored.raw"), trace.after);
  await rm(folder, { recursive: true });
  return { chunkBytes, initialBytes, initialSeconds, incrementalBytes, indexBytes, ...reads, ...restored };
}

async function storeImage(folder: string, path: string, chunkBytes: number): Promise<Snapshot> {
  await using repository = await openRepository({ backend: createDiskBackend(folder), password: PASSWORD });
  await loadIndex(repository);
  await using file = await open(path);
  const layout = layoutWith((await file.stat()).size, chunkBytes);
  const writer = openWriter(repository, { bufferBytes: BUFFER_BYTES });
  const image = createImageWriter(writer, layout);
  const putting = new Set<Promise<void>>();
  const chunksAtOnce = BUFFER_BYTES / chunkBytes;
  for (const [first, end] of await dataRuns(path, chunkBytes)) {
    for (let chunk = first; chunk < end; chunk += chunksAtOnce) {
      const count = Math.min(chunksAtOnce, end - chunk);
      const buffer = await writer.reserve();
      await file.read(buffer.bytes, 0, count * chunkBytes, chunk * chunkBytes);
      const put = image.put(buffer, chunk, count).finally(() => putting.delete(put));
      putting.add(put);
    }
  }
  await Promise.all(putting);
  const time = new Date().toISOString();
  const tree = await storeImageRoot(writer, [{ name: "disk", tree: await image.finish() }], time);
  await writer.finish();
  const names = { hostname: "bench", username: "bench", tags: [], paths: ["/disks/disk"] };
  return saveSnapshot(repository, { time, tree, programVersion: "bench", ...names });
}

/** Chunks that any data lies in: first, and one beyond the last. */
async function dataRuns(path: string, chunkBytes: number): Promise<readonly (readonly [number, number])[]> {
  const runs: [number, number][] = [];
  for (const { kind, offset, length } of await fileExtents(path)) {
    if (kind !== "data") continue;
    const last = runs.at(-1);
    const first = Math.max(Math.floor(offset / chunkBytes), last?.[1] ?? 0);
    const end = Math.ceil((offset + length) / chunkBytes);
    if (last !== undefined && last[1] === first) last[1] = Math.max(end, last[1]);
    else if (end > first) runs.push([first, end]);
  }
  return runs;
}

async function readHereAndThere(folder: string, snapshot: Snapshot, path: string) {
  await using repository = await openRepository({ backend: createDiskBackend(folder), password: PASSWORD });
  await loadIndex(repository);
  const blobs = repository.table.size;
  const content = await openContent(repository, snapshot);
  const extents = (await fileExtents(path)).filter(({ kind }) => kind === "data");
  const random = seededRandom(20_230_703);
  const times: number[] = [];
  for (let read = 0; read < READS; read += 1) {
    const extent = extents[random.below(extents.length)];
    if (extent === undefined) break;
    const block = extent.offset + random.below(Math.floor(extent.length / BLOCK_BYTES)) * BLOCK_BYTES;
    // A reader of its own: nothing is in its cache.
    const reader = openReader(repository, content);
    const startMs = systemClock.monotonicMs();
    await reader.read(block, BLOCK_BYTES);
    times.push(systemClock.monotonicMs() - startMs);
  }
  const slowest = times.toSorted((left, right) => left - right)[Math.floor(times.length * 0.95)] ?? 0;
  return { blobs, firstReadMs: median(times), firstReadSlowMs: slowest };
}

async function restore(folder: string, snapshot: Snapshot, target: string, original: string) {
  const startMs = systemClock.monotonicMs();
  {
    await using repository = await openRepository({ backend: createDiskBackend(folder), password: PASSWORD });
    await loadIndex(repository);
    await executeRestore(repository, await planRestore(await openContent(repository, snapshot), target));
  }
  const restoreSeconds = since(startMs);
  await assertSameData(original, target);
  await rm(target);
  return { restoreSeconds };
}

/** Compares what is data in either: the holes of a large disk would take minutes to read. */
async function assertSameData(left: string, right: string): Promise<void> {
  await using one = await open(left);
  await using other = await open(right);
  const [mine, yours] = [Buffer.alloc(BUFFER_BYTES), Buffer.alloc(BUFFER_BYTES)];
  for (const path of [left, right]) {
    for (const { kind, offset, length } of await fileExtents(path)) {
      if (kind !== "data") continue;
      for (let at = offset; at < offset + length; at += BUFFER_BYTES) {
        const count = Math.min(BUFFER_BYTES, offset + length - at);
        await one.read(mine, 0, count, at);
        await other.read(yours, 0, count, at);
        if (mine.compare(yours, 0, count, 0, count) !== 0)
          throw new Error(`Cannot accept the restore: found other bytes than in the disk from byte ${at} on`);
      }
    }
  }
}

function since(startMs: number): number {
  return (systemClock.monotonicMs() - startMs) / 1000;
}
