/** A raw file or a block device as a source. Holes of a sparse file are not read. */

import { open, type FileHandle } from "node:fs/promises";
import { messageOf, systemCodeOf } from "@mainstay/kit";
import { fileExtents, nbdErrors, type Extent } from "@mainstay/nbd";
import { captureErrors } from "../errors.ts";
import type { ImageSource } from "./image-source.ts";

/** Errors: `capture.source-missing`, `capture.source-unreadable`, `capture.source-unusable`. */
export async function openRawSource(path: string): Promise<ImageSource> {
  const file = await openForReading(path);
  try {
    const { sizeBytes, isFile } = await measure(file, path);
    const extents = isFile ? await dataAndHoles(path, sizeBytes) : wholeDisk(sizeBytes);
    return {
      sizeBytes,
      coverage: "whole",
      extents,
      wholeExtents: async () => extents,
      readInto: (target, offset) => readFully(file, target, offset, path),
      [Symbol.asyncDispose]: () => file.close(),
    };
  } catch (cause) {
    await file.close();
    throw cause;
  }
}

/** Without a program that tells them, holes are read as the zeros they are. */
async function dataAndHoles(path: string, sizeBytes: number): Promise<readonly Extent[]> {
  try {
    const extents = await fileExtents(path);
    const last = extents.at(-1);
    // The file may have changed its size since it was measured; then its holes are not believed either.
    return (last === undefined ? 0 : last.offset + last.length) === sizeBytes
      ? extents
      : wholeDisk(sizeBytes);
  } catch (cause) {
    if (nbdErrors.is(cause, "map-failed")) return wholeDisk(sizeBytes);
    throw cause;
  }
}

function wholeDisk(sizeBytes: number): readonly Extent[] {
  return sizeBytes === 0 ? [] : [{ offset: 0, length: sizeBytes, kind: "data" }];
}

async function openForReading(path: string): Promise<FileHandle> {
  try {
    return await open(path, "r");
  } catch (cause) {
    const missing = systemCodeOf(cause) === "ENOENT";
    throw captureErrors.error(
      missing ? "source-missing" : "source-unreadable",
      missing
        ? `Cannot back up ${path}: there is no such file or device; correct the path`
        : `Cannot back up ${path}: ${messageOf(cause)}; run as a user who may read it`,
      { cause, values: { path } },
    );
  }
}

async function measure(file: FileHandle, path: string): Promise<{ sizeBytes: number; isFile: boolean }> {
  const stats = await file.stat();
  if (stats.isFile()) return { sizeBytes: stats.size, isFile: true };
  if (stats.isBlockDevice()) return { sizeBytes: await deviceSize(file), isFile: false };
  throw captureErrors.error(
    "source-unusable",
    `Cannot back up ${path} as a disk image: it is neither a file nor a block device; use "mainstay vault backup files" for folders`,
    { values: { path } },
  );
}

/** A block device has no size in its inode; the end is where a read gives nothing. Found in 60 reads at most. */
async function deviceSize(file: FileHandle): Promise<number> {
  const probe = Buffer.alloc(512);
  const isWithin = async (offset: number): Promise<boolean> =>
    (await file.read(probe, 0, 512, offset)).bytesRead > 0;
  let beyond = 512;
  while (await isWithin(beyond)) beyond *= 2;
  let within = beyond / 2;
  while (beyond - within > 512) {
    const middle = within + Math.floor((beyond - within) / 1024) * 512;
    if (await isWithin(middle)) within = middle;
    else beyond = middle;
  }
  return (await isWithin(0)) ? beyond : 0;
}

async function readFully(file: FileHandle, target: Buffer, offset: number, path: string): Promise<void> {
  for (let at = 0; at < target.length;) {
    const { bytesRead } = await readSome(file, target, at, offset + at, path);
    if (bytesRead === 0) {
      throw captureErrors.error(
        "source-unreadable",
        `Cannot back up ${path}: it ends at byte ${offset + at}, and was longer when the backup began; back up a disk that is not being resized`,
        { values: { path, offset: offset + at } },
      );
    }
    at += bytesRead;
  }
}

async function readSome(file: FileHandle, target: Buffer, at: number, offset: number, path: string) {
  try {
    return await file.read(target, at, target.length - at, offset);
  } catch (cause) {
    throw captureErrors.error(
      "source-unreadable",
      `Cannot read ${path} at byte ${offset}: ${messageOf(cause)}; check the disk, its sectors may be failing`,
      { cause, values: { path, offset } },
    );
  }
}
