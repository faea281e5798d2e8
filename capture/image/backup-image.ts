/** Backing up disks: each becomes an image in one restore point; what the parent has is not stored again. */

import { hostname as machineName, tmpdir } from "node:os";
import { systemClock, type Clock } from "@mainstay/kit";
import {
  currentUser,
  IMAGE_TAG,
  isDamage,
  listImages,
  loadIndex,
  lockRepository,
  openWriter,
  saveSnapshot,
  storeImageRoot,
  type BlobWriter,
  type DiskImage,
  type ObjectId,
  type Repository,
  type Snapshot,
  type WriteFigures,
} from "@mainstay/vault";
import { adoptPacks } from "../adopt-packs.ts";
import { captureErrors } from "../errors.ts";
import { findParentPoint } from "../parent-point.ts";
import { PROGRAM_VERSION } from "../program-version.ts";
import type { OnProgress } from "../progress.ts";
import type { DiskSource } from "./disk-source.ts";
import { openCapture, type ImageCapture } from "./image-capture.ts";
import { BUFFER_BYTES, writeDisk, type DiskResult, type WrittenDisk } from "./write-disk.ts";

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

export type BackupResult = WriteFigures & {
  readonly snapshot: Snapshot;
  readonly parent?: ObjectId | undefined;
  readonly disks: readonly DiskResult[];
  readonly readBytes: number;
  readonly durationMs: number;
  /** Packs of an interrupted backup that need not be sent again. */
  readonly resumedPacks: number;
};

/**
 * Makes one restore point of the disks. An interrupt or a failure leaves no restore point, but what was stored by then is
 * found again by the next run.
 *
 * Errors: `capture.*` of the source, `vault.*` of the repository; the signal's reason.
 */
export async function backupImage(options: BackupImageOptions): Promise<BackupResult> {
  const { repository, signal, clock = systemClock } = options;
  const startMs = clock.monotonicMs();
  checkNames(options.disks);
  options.onProgress?.({ phase: "preparing", doneBytes: 0, totalBytes: 0 });
  await using lock = await lockRepository(repository, "shared", clock);
  await loadIndex(repository, signal);
  const writer = openWriter(repository, { bufferBytes: BUFFER_BYTES, signal });
  try {
    const resumedPacks = await adoptPacks(repository, writer, signal);
    const parent = options.parent ?? (await findParent(options));
    const workDirectory = options.workDirectory ?? tmpdir();
    await using capture = await openCapture(options.disks, { parent, workDirectory, signal });
    const written = await writeDisks(options, writer, capture, parent);
    options.onProgress?.({ phase: "finishing", doneBytes: 0, totalBytes: 0 });
    const time = clock.now().toISOString();
    const tree = await storeImageRoot(writer, written, time);
    const figures = await writer.finish();
    await lock.assertHeld();
    const snapshot = await saveSnapshot(repository, snapshotOf(options, capture, tree, parent, time));
    await capture.settle();
    const disks = written.map(({ tree: _tree, ...disk }) => disk);
    const readBytes = disks.reduce((sum, disk) => sum + disk.readBytes, 0);
    const durationMs = clock.monotonicMs() - startMs;
    return { ...figures, snapshot, parent: parent?.id, disks, readBytes, durationMs, resumedPacks };
  } catch (cause) {
    await writer.abandon();
    throw cause;
  }
}

async function writeDisks(
  options: BackupImageOptions,
  writer: BlobWriter,
  capture: ImageCapture,
  parent: Snapshot | undefined,
): Promise<readonly WrittenDisk[]> {
  const { repository, onProgress } = options;
  const images = parent === undefined ? [] : await imagesOf(options, parent);
  const written: WrittenDisk[] = [];
  for (const disk of capture.disks) {
    const image = images.find((candidate) => candidate.name === disk.name);
    const onBytes = (doneBytes: number, totalBytes: number): void =>
      onProgress?.({ phase: "reading", doneBytes, totalBytes });
    written.push(await writeDisk({ repository, writer, onBytes }, disk, image));
  }
  return written;
}

/** None if they cannot be read: the disks are then read whole. */
async function imagesOf(options: BackupImageOptions, parent: Snapshot): Promise<readonly DiskImage[]> {
  try {
    return await listImages(options.repository, parent, options.signal);
  } catch (cause) {
    if (isDamage(cause)) return [];
    throw cause;
  }
}

/** A name is one element of a path, and tells disks apart. */
function checkNames(disks: readonly DiskSource[]): void {
  const known = new Set<string>();
  for (const { name } of disks) {
    const isElement = name !== "" && name !== "." && name !== ".." && !/[/\0]/.test(name);
    if (isElement && !known.has(name)) known.add(name);
    else {
      const why = isElement ? "two disks have it" : "it is no name of a file";
      throw captureErrors.error(
        "disk-name-invalid",
        `Cannot call a disk ${JSON.stringify(name)}: ${why}; give each disk a name of its own, without slashes`,
        { values: { name } },
      );
    }
  }
}

function findParent(options: BackupImageOptions): Promise<Snapshot | undefined> {
  const host = options.hostname ?? machineName();
  const paths = pathsOf(options);
  const matches = (snapshot: Snapshot): boolean =>
    snapshot.hostname === host && snapshot.paths.some((path) => paths.includes(path));
  return findParentPoint(options.repository, matches, options.signal);
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
    username: currentUser().name,
    tags: [IMAGE_TAG, ...capture.tags, ...(options.tags ?? [])],
    programVersion: PROGRAM_VERSION,
  };
}

function pathsOf(options: BackupImageOptions): readonly string[] {
  return options.disks.map((disk) => `/disks/${disk.name}`);
}
