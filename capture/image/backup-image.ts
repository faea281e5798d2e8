/** Backing up disks: each becomes an image in one restore point; what the parent has is not stored again. */

import { hostname as machineName, tmpdir, userInfo } from "node:os";
import { eachAtOnce, systemClock, type Clock } from "@mainstay/kit";
import {
  chunkLength,
  createImageWriter,
  IMAGE_TAG,
  layoutFor,
  listImages,
  listSnapshots,
  loadIndex,
  lockRepository,
  openWriter,
  saveSnapshot,
  storeImageRoot,
  type BlobWriter,
  type DiskImage,
  type ImageWriter,
  type ObjectId,
  type Repository,
  type Snapshot,
  type WriteFigures,
} from "@mainstay/vault";
import { adoptPacks } from "../adopt-packs.ts";
import { PROGRAM_VERSION } from "../program-version.ts";
import type { OnProgress } from "../progress.ts";
import { planChunks, type ChunkRun } from "./chunk-plan.ts";
import type { DiskSource } from "./disk-source.ts";
import { openCapture, type CapturedDisk, type ImageCapture } from "./image-capture.ts";

export type BackupImageOptions = {
  readonly repository: Repository;
  readonly disks: readonly DiskSource[];
  /** For temporary files; by default the system's. */
  readonly workDirectory?: string | undefined;
  /** The restore point that is built upon; by default the newest with a disk of that name from this host. */
  readonly parent?: Snapshot | undefined;
  /** Under which name the restore point is filed; by default this machine's. */
  readonly hostname?: string | undefined;
  readonly tags?: readonly string[] | undefined;
  readonly clock?: Clock | undefined;
  readonly onProgress?: OnProgress | undefined;
  readonly signal?: AbortSignal | undefined;
};

export type DiskResult = {
  readonly name: string;
  readonly sizeBytes: number;
  readonly readBytes: number;
  /** Whether all of it was looked at, or only what changed. */
  readonly coverage: "whole" | "changes";
};

export type BackupResult = WriteFigures & {
  readonly snapshot: Snapshot;
  readonly parent?: ObjectId | undefined;
  readonly disks: readonly DiskResult[];
  readonly readBytes: number;
  readonly durationMs: number;
  /** Packs of an interrupted backup that need not be sent again. */
  readonly resumedPacks: number;
};

/** How much is read and handed to the threads at once. */
const BUFFER_BYTES = 4 * 1024 * 1024;
/** More than there are buffers, so that the next read is always waiting for one. */
const RUNS_AT_ONCE_MAX = 24;

/**
 * Makes one restore point of the disks. An interrupt or a failure leaves no restore point, but what was stored by then is
 * found again by the next run.
 *
 * Errors: `capture.*` of the source, `vault.*` of the repository; the signal's reason.
 */
export async function backupImage(options: BackupImageOptions): Promise<BackupResult> {
  const { repository, signal, clock = systemClock } = options;
  const startMs = clock.monotonicMs();
  options.onProgress?.({ phase: "preparing", doneBytes: 0, totalBytes: 0 });
  await using lock = await lockRepository(repository, "shared", clock);
  await loadIndex(repository, signal);
  const writer = openWriter(repository, { bufferBytes: BUFFER_BYTES, signal });
  try {
    const resumedPacks = lock.foundAbandoned ? await adoptPacks(repository, writer, signal) : 0;
    const parent = options.parent ?? (await findParent(options));
    const workDirectory = options.workDirectory ?? tmpdir();
    await using capture = await openCapture(options.disks, { parent, workDirectory, signal });
    const written = await writeDisks(options, writer, capture, parent);
    options.onProgress?.({ phase: "finishing", doneBytes: 0, totalBytes: 0 });
    const time = clock.now().toISOString();
    const tree = await storeImageRoot(writer, written, time);
    const figures = await writer.finish();
    const snapshot = await saveSnapshot(repository, snapshotOf(options, capture, tree, parent, time));
    await capture.settle();
    const disks = written.map(({ tree: _, ...disk }) => disk);
    const readBytes = disks.reduce((sum, disk) => sum + disk.readBytes, 0);
    const durationMs = clock.monotonicMs() - startMs;
    return { ...figures, snapshot, parent: parent?.id, disks, readBytes, durationMs, resumedPacks };
  } catch (cause) {
    await writer.abandon();
    throw cause;
  }
}

type WrittenDisk = DiskResult & { readonly tree: ObjectId };

async function writeDisks(
  options: BackupImageOptions,
  writer: BlobWriter,
  capture: ImageCapture,
  parent: Snapshot | undefined,
): Promise<readonly WrittenDisk[]> {
  const images = parent === undefined ? [] : await listImages(options.repository, parent, options.signal);
  const written: WrittenDisk[] = [];
  for (const { name, source } of capture.disks) {
    const image = images.find((candidate) => candidate.name === name);
    written.push(await writeDisk(options, writer, { name, source }, image));
  }
  return written;
}

async function writeDisk(
  options: BackupImageOptions,
  writer: BlobWriter,
  { name, source }: CapturedDisk,
  image: DiskImage | undefined,
): Promise<WrittenDisk> {
  const layout = layoutFor(source.sizeBytes);
  const base = image?.layout.chunkBytes === layout.chunkBytes ? image : undefined;
  const imageWriter = createImageWriter(writer, layout, base);
  const runs = planChunks(source.extents, layout, BUFFER_BYTES);
  const total = runs.reduce((sum, run) => sum + (run.kind === "data" ? bytesOf(imageWriter, run) : 0), 0);
  let done = 0;
  const copyRun = async (run: ChunkRun): Promise<void> => {
    const buffer = await writer.reserve();
    const length = bytesOf(imageWriter, run);
    try {
      await source.readInto(buffer.bytes.subarray(0, length), run.firstChunk * layout.chunkBytes);
    } catch (cause) {
      buffer.release();
      throw cause;
    }
    await imageWriter.put(buffer, run.firstChunk, run.chunkCount);
    done += length;
    options.onProgress?.({ phase: "reading", doneBytes: done, totalBytes: total });
  };
  for (const run of runs) if (run.kind === "zero") imageWriter.putZeros(run.firstChunk, run.chunkCount);
  await eachAtOnce(
    runs.filter((run) => run.kind === "data"),
    RUNS_AT_ONCE_MAX,
    copyRun,
  );
  const { sizeBytes, coverage } = source;
  return { name, sizeBytes, coverage, readBytes: done, tree: await imageWriter.finish() };
}

function bytesOf({ layout }: ImageWriter, run: ChunkRun): number {
  const last = run.firstChunk + run.chunkCount - 1;
  return (run.chunkCount - 1) * layout.chunkBytes + chunkLength(layout, last);
}

async function findParent(options: BackupImageOptions): Promise<Snapshot | undefined> {
  const host = options.hostname ?? machineName();
  const paths = pathsOf(options);
  const all = await listSnapshots(options.repository, options.signal);
  return all.findLast(
    (snapshot) => snapshot.hostname === host && snapshot.paths.some((path) => paths.includes(path)),
  );
}

function snapshotOf(
  options: BackupImageOptions,
  capture: ImageCapture,
  tree: ObjectId,
  parent: Snapshot | undefined,
  time: string,
) {
  return {
    time,
    tree,
    parent: parent?.id,
    paths: pathsOf(options),
    hostname: options.hostname ?? machineName(),
    username: userInfo().username,
    tags: [IMAGE_TAG, ...capture.tags, ...(options.tags ?? [])],
    programVersion: PROGRAM_VERSION,
  };
}

function pathsOf(options: BackupImageOptions): readonly string[] {
  return options.disks.map((disk) => `/disks/${disk.name}`);
}
