/** Restoring a disk image, or any file of a restore point, to a raw file or a block device. */

import { open, rename, rm, stat, statfs, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { formatBytes, messageOf, systemCodeOf } from "@mainstay/kit";
import type { ContentMap, Piece } from "../content/content-map.ts";
import { vaultErrors } from "../errors.ts";
import type { Repository } from "../repository/repository.ts";
import { fetchBlobs, type Wanted } from "./fetch-blobs.ts";

export type RestorePlan = {
  readonly target: string;
  readonly targetKind: "new-file" | "device";
  readonly sizeBytes: number;
  /** What is written; the rest are zeros, left as holes in a file. */
  readonly dataBytes: number;
  readonly pieces: readonly Piece[];
};

export type RestoreProgress = (doneBytes: number, totalBytes: number) => void;

const SCAN_BYTES = 256 * 1024 * 1024;
const ZEROS = Buffer.alloc(1024 * 1024);

/**
 * Decides what a restore will write, and whether it can.
 *
 * Errors: `vault.target-refused` (exists, or cannot be written), `vault.target-full` (does not fit), those of the content.
 */
export async function planRestore(map: ContentMap, target: string): Promise<RestorePlan> {
  const targetKind = await kindOfTarget(target);
  const pieces: Piece[] = [];
  let dataBytes = 0;
  for (let offset = 0; offset < map.sizeBytes; offset += SCAN_BYTES) {
    const end = Math.min(map.sizeBytes, offset + SCAN_BYTES);
    for (const piece of await map.pieces(offset, end - offset)) {
      // A piece that crosses the border of two scans is seen by both.
      if (piece.start < offset && offset > 0) continue;
      if (!piece.isZero) dataBytes += piece.length;
      pieces.push(piece);
    }
  }
  if (targetKind === "new-file") await checkRoom(target, dataBytes);
  else await checkDevice(target, map.sizeBytes);
  return { target, targetKind, sizeBytes: map.sizeBytes, dataBytes, pieces };
}

/** Carries the plan out. A file appears under its name only when it is whole and durable. */
export async function executeRestore(
  repository: Repository,
  plan: RestorePlan,
  onProgress: RestoreProgress = () => undefined,
  signal?: AbortSignal,
): Promise<void> {
  const path = plan.targetKind === "device" ? plan.target : `${plan.target}.partial`;
  const file = await openTarget(path, plan);
  try {
    await writePieces(repository, file, plan, onProgress, signal);
    await file.sync();
  } catch (cause) {
    await file.close();
    if (plan.targetKind === "new-file") await rm(path, { force: true });
    throw cause;
  }
  await file.close();
  if (plan.targetKind === "device") return;
  await rename(path, plan.target);
  await syncFolder(dirname(plan.target));
}

/** Makes the new name durable. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  await using handle = await open(folder, "r");
  await handle.sync();
}

async function writePieces(
  repository: Repository,
  file: FileHandle,
  plan: RestorePlan,
  onProgress: RestoreProgress,
  signal?: AbortSignal,
): Promise<void> {
  if (plan.targetKind === "new-file") await file.truncate(plan.sizeBytes);
  let done = 0;
  await fetchBlobs(repository, wantedOf(plan, file.fd), {
    signal,
    onWritten: (count) => {
      done += count;
      onProgress(done, plan.dataBytes);
    },
  }).catch((cause: unknown) => {
    throw systemCodeOf(cause) === "ENOSPC" ? full(plan.target, cause) : cause;
  });
  if (plan.targetKind === "new-file") return;
  // What a device held before must not show through.
  for (const piece of plan.pieces) if (piece.isZero) await writeZeros(file, piece);
}

function* wantedOf(plan: RestorePlan, descriptor: number): IterableIterator<Wanted> {
  const file = { kind: "open", descriptor } as const;
  for (const { id, start, isZero } of plan.pieces) if (!isZero) yield { id, place: { file, start } };
}

async function kindOfTarget(target: string): Promise<RestorePlan["targetKind"]> {
  const stats = await stat(target).catch((cause: unknown) => {
    if (systemCodeOf(cause) === "ENOENT") return undefined;
    throw refused(target, messageOf(cause), "choose another target", cause);
  });
  if (stats === undefined) return "new-file";
  if (stats.isBlockDevice()) return "device";
  throw refused(target, "it exists already", "remove it, or choose another target");
}

async function checkRoom(target: string, dataBytes: number): Promise<void> {
  const folder = dirname(target);
  const { bavail, bsize } = await statfs(folder).catch((cause: unknown) => {
    throw refused(target, messageOf(cause), "make the folder first, or choose another target", cause);
  });
  const freeBytes = bavail * bsize;
  if (freeBytes >= dataBytes) return;
  throw vaultErrors.error(
    "target-full",
    `Cannot restore to ${target}: it needs ${formatBytes(dataBytes)} and ${folder} has ${formatBytes(freeBytes)} free; choose a target with more room, or run the machine from the vault with "mainstay recover"`,
    { values: { target, neededBytes: dataBytes, freeBytes } },
  );
}

/** A device has no size in its inode; it holds the image if it has its last byte. */
async function checkDevice(target: string, sizeBytes: number): Promise<void> {
  if (sizeBytes === 0) return;
  await using file = await open(target, "r").catch((cause: unknown) => {
    throw refused(target, messageOf(cause), "choose another target", cause);
  });
  const { bytesRead } = await file.read(Buffer.alloc(1), 0, 1, sizeBytes - 1);
  if (bytesRead === 1) return;
  throw vaultErrors.error(
    "target-full",
    `Cannot restore to ${target}: it is smaller than the disk, which has ${formatBytes(sizeBytes)}; choose a larger device`,
    { values: { target, neededBytes: sizeBytes } },
  );
}

async function openTarget(path: string, plan: RestorePlan): Promise<FileHandle> {
  try {
    return await open(path, plan.targetKind === "device" ? "r+" : "w", 0o600);
  } catch (cause) {
    throw refused(plan.target, messageOf(cause), "choose another target", cause);
  }
}

async function writeFully(file: FileHandle, bytes: Uint8Array, start: number): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    at += (await file.write(bytes, at, bytes.length - at, start + at)).bytesWritten;
  }
}

async function writeZeros(file: FileHandle, piece: Piece): Promise<void> {
  for (let at = 0; at < piece.length; at += ZEROS.length) {
    await writeFully(file, ZEROS.subarray(0, piece.length - at), piece.start + at);
  }
}

function full(target: string, cause: unknown): Error {
  return vaultErrors.error(
    "target-full",
    `Cannot restore to ${target}: no room is left; free some and start again`,
    { cause, values: { target } },
  );
}

function refused(target: string, why: string, wayOut: string, cause?: unknown): Error {
  return vaultErrors.error("target-refused", `Cannot restore to ${target}: ${why}; ${wayOut}`, {
    cause,
    values: { target },
  });
}
