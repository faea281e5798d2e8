/** A raw file, or a block device of Linux, as a {@link BlockDevice}. */

import { constants } from "node:fs";
import { type FileHandle, open, readFile } from "node:fs/promises";

import { messageOf, systemCodeOf } from "@mainstay/kit";

import type { BlockDevice, Extent } from "./block-device.ts";
import { nbdErrors } from "./errors.ts";
import { clipExtents, eachPiece } from "./extents.ts";
import { type FileMap, mapFile, stampOf } from "./file-extents.ts";

const SECTOR_BYTES = 512;
const ZEROES = Buffer.alloc(1024 * 1024);
/** How coarsely a writable device remembers that a hole may be one no more. */
const TOUCHED_PAGE_BYTES = 1024 * 1024;
/** A file that changes under a reader is not mapped again more often than this; meanwhile it is all data. */
const REMAP_PAUSE_MS = 1000;

export type FileDeviceOptions = {
  /** Absent: no. A writable device must be the only writer of its file while it is open. */
  readonly writable?: boolean;
};

export type FileDevice = BlockDevice & AsyncDisposable & { readonly path: string };

/** Opens a disk. Rejects with `nbd.file-unusable`. Zeros are written as data; nothing is gained by `trim`. */
export async function openFileDevice(path: string, options: FileDeviceOptions = {}): Promise<FileDevice> {
  const writable = options.writable ?? false;
  const handle = await openDisk(path, writable);
  const sizeBytes = await sizeOf(handle, path);
  const holes = writable ? ownHoles(path) : sharedHoles(path, handle);
  let flushFailure: unknown;
  let closing: Promise<void> | undefined;
  const write = async (offset: number, bytes: Uint8Array): Promise<void> => {
    if (!writable) throw readOnly(path);
    holes.touch(offset, bytes.length);
    await writeAll(handle, offset, bytes);
  };
  const close = (): Promise<void> => (closing ??= handle.close());
  return {
    path,
    sizeBytes,
    writable,
    read: (offset, length, signal) => readAll(handle, path, { offset, length, signal }),
    extents: async (offset, length) => clipExtents(await holes.known(), offset, length),
    write,
    writeZeroes: async (offset, length) => {
      for (const piece of eachPiece(offset, length, ZEROES.length)) {
        await write(offset + piece.done, ZEROES.subarray(0, piece.length));
      }
    },
    flush: async () => {
      if (!writable) return;
      // After a failed sync the kernel may have dropped what it could not write: a second one would lie.
      if (flushFailure !== undefined) throw flushFailure;
      await handle.datasync().catch((cause: unknown) => {
        flushFailure = cause;
        throw cause;
      });
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** Reads exactly; a file that became shorter is an error, never zeros. */
async function readAll(
  handle: FileHandle,
  path: string,
  range: { readonly offset: number; readonly length: number; readonly signal: AbortSignal | undefined },
): Promise<Uint8Array> {
  range.signal?.throwIfAborted();
  const bytes = Buffer.allocUnsafeSlow(range.length);
  for (let done = 0; done < range.length;) {
    const { bytesRead } = await handle.read(bytes, done, range.length - done, range.offset + done);
    if (bytesRead === 0) throw truncated(path, range.offset + done);
    done += bytesRead;
  }
  return bytes;
}

async function writeAll(handle: FileHandle, offset: number, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, offset + done);
    done += bytesWritten;
  }
}

async function openDisk(path: string, writable: boolean): Promise<FileHandle> {
  try {
    return await open(path, writable ? constants.O_RDWR : constants.O_RDONLY);
  } catch (cause) {
    const wanted = writable ? "a file to write" : "a file to read";
    const message = `Cannot open the disk "${path}": found ${systemCodeOf(cause) ?? messageOf(cause)}, wanted ${wanted}; check the path and its permissions`;
    throw nbdErrors.error("file-unusable", message, { cause, values: { path } });
  }
}

/** Block devices have size 0 for `stat`; Linux tells their size under /sys. */
async function sizeOf(handle: FileHandle, path: string): Promise<number> {
  const stats = await handle.stat();
  if (stats.isFile()) return stats.size;
  try {
    if (!stats.isBlockDevice()) throw new Error("neither a file nor a block device");
    const major = ((stats.rdev >> 8) & 0xfff) | (Math.floor(stats.rdev / 2 ** 32) & ~0xfff);
    const minor = (stats.rdev & 0xff) | ((stats.rdev >>> 12) & 0xfff00);
    return Number((await readFile(`/sys/dev/block/${major}:${minor}/size`, "utf8")).trim()) * SECTOR_BYTES;
  } catch (cause) {
    await handle.close();
    const message = `Cannot use "${path}" as a disk: found ${messageOf(cause)}, wanted a raw file or a block device; name one`;
    throw nbdErrors.error("file-unusable", message, { cause, values: { path } });
  }
}

/** What is known of a file's holes; an empty list means that nothing is. */
type Holes = {
  known(): Promise<readonly Extent[]>;
  /** Something is about to be written there. */
  touch(offset: number, length: number): void;
};

/** Without the tool that maps, all counts as data: slower, never wrong. */
const mapOrNothing = (path: string): Promise<FileMap> =>
  mapFile(path).catch(() => ({ extents: [], stamp: undefined }));

/** For the only writer: one map, less what was written since the file was opened. */
function ownHoles(path: string): Holes {
  const touched = new Set<number>();
  let mapping: Promise<FileMap> | undefined;
  return {
    known: async () => {
      mapping ??= mapOrNothing(path);
      const { extents } = await mapping;
      return touched.size === 0 ? extents : withoutPages(extents, touched);
    },
    touch: (offset, length) => {
      for (const { index } of eachPiece(offset, length, TOUCHED_PAGE_BYTES)) touched.add(index);
    },
  };
}

/** For a reader of a file that others may write: a map counts only as long as the file has not changed since. */
function sharedHoles(path: string, handle: FileHandle): Holes {
  let mapping: Promise<FileMap> | undefined;
  let nextMapMs = 0;
  const remap = (): Promise<FileMap> => {
    if (performance.now() < nextMapMs) return Promise.resolve({ extents: [], stamp: undefined });
    nextMapMs = performance.now() + REMAP_PAUSE_MS;
    mapping = mapOrNothing(path);
    return mapping;
  };
  return {
    known: async () => {
      const map = await (mapping ?? remap());
      const { key } = stampOf(await handle.stat({ bigint: true }));
      if (map.stamp?.key === key) return map.extents;
      const again = await remap();
      return again.stamp?.key === key ? again.extents : [];
    },
    touch: () => {},
  };
}

function withoutPages(extents: readonly Extent[], pages: ReadonlySet<number>): readonly Extent[] {
  const kept: Extent[] = [];
  for (const extent of extents) {
    if (extent.kind === "data") {
      kept.push(extent);
      continue;
    }
    for (const piece of eachPiece(extent.offset, extent.length, TOUCHED_PAGE_BYTES)) {
      // What is left out of the list counts as data.
      if (pages.has(piece.index)) continue;
      kept.push({ offset: extent.offset + piece.done, length: piece.length, kind: "zero" });
    }
  }
  return kept;
}

function readOnly(path: string): Error {
  const message = `Cannot write to "${path}": found it opened for reading only, wanted it writable; open it so`;
  return nbdErrors.error("read-only", message, { values: { path, errno: "EPERM" } });
}

function truncated(path: string, offset: number): Error {
  const message = `Cannot read "${path}" at ${offset}: found the end of the file, wanted data; the file became shorter, open it again`;
  return nbdErrors.error("file-truncated", message, { values: { path, offset } });
}
