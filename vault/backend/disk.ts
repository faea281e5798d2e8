/**
 * A repository in a folder, laid out as restic lays it out: `config`, `keys/`, `locks/`, `snapshots/`, `index/`, and `data/`
 * spread over 256 folders. Folders are for the owner alone and files read-only, as restic makes them.
 *
 * A file is written under another name, made durable, then linked to its own name, so that nobody ever sees a part of one.
 */

import { randomBytes } from "node:crypto";
import { link, mkdir, open, readdir, rename, stat, unlink, type FileHandle } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { systemClock, systemCodeOf, type Clock } from "@mainstay/kit";
import {
  FILE_KINDS,
  type Backend,
  type ByteRange,
  type FileEntry,
  type FileKind,
  type FileRef,
} from "./backend.ts";
import { diskFailure } from "./disk-failure.ts";
import { LEFTOVER_MARK, removeLeftovers } from "./disk-leftovers.ts";
import { fileExists, fileMissing, fileTruncated } from "./failure.ts";
import { folderPathOf, holds, isFileName, sizeOf } from "./file-ref.ts";

const FOLDER_MODE = 0o700;
/** On Windows a read-only file could not be removed. */
const FILE_MODE = process.platform === "win32" ? 0o600 : 0o400;

/** How many files are asked for their size at once. */
const STATS_MAX = 32;

/** File systems without hard links answer with one of these. */
const NO_LINKS = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EINVAL", "EMLINK", "EACCES"]);

/** The repository in `folder`, which need not exist before `create`. */
export function createDiskBackend(folder: string, clock: Clock = systemClock): Backend {
  const root = resolve(folder);
  const fail = (cause: unknown, action: string): Error => diskFailure(cause, action, root);
  let swept: Promise<void> | undefined;

  return {
    location: root,
    create: async () => {
      await createFolders(root).catch((cause: unknown) => {
        throw fail(cause, "create the repository's folders");
      });
    },
    stat: async (file) => {
      try {
        return (await stat(join(root, folderPathOf(file)))).size;
      } catch (cause) {
        if (systemCodeOf(cause) === "ENOENT") return undefined;
        throw fail(cause, `look for ${folderPathOf(file)}`);
      }
    },
    list: (kind, signal) => listFiles(root, kind, signal),
    read: async (file, range, signal) => {
      signal?.throwIfAborted();
      return readPart(root, file, range);
    },
    write: async (file, parts, signal) => {
      signal?.throwIfAborted();
      try {
        // What crashed writers left behind goes before the first new file, never during a read.
        swept ??= removeLeftovers(root, clock);
        await swept;
        await writeWhole(root, file, parts);
      } catch (cause) {
        throw fail(cause, `write ${folderPathOf(file)}`);
      }
    },
    remove: async (file) => {
      try {
        await unlink(join(root, folderPathOf(file)));
      } catch (cause) {
        if (systemCodeOf(cause) !== "ENOENT") throw fail(cause, `remove ${folderPathOf(file)}`);
      }
    },
    close: async () => {},
  };
}

async function createFolders(root: string): Promise<void> {
  await mkdir(root, { recursive: true, mode: FOLDER_MODE });
  for (const kind of FILE_KINDS) {
    if (kind !== "config") await mkdir(join(root, kind), { recursive: true, mode: FOLDER_MODE });
  }
  for (let byte = 0; byte < 256; byte += 1) {
    const name = byte.toString(16).padStart(2, "0");
    await mkdir(join(root, "data", name), { recursive: true, mode: FOLDER_MODE });
  }
  await syncFolder(join(root, "data"));
  await syncFolder(root);
}

async function* listFiles(root: string, kind: FileKind, signal?: AbortSignal): AsyncIterable<FileEntry> {
  for (const folder of await foldersOf(root, kind)) {
    signal?.throwIfAborted();
    const names = kind === "config" ? ["config"] : (await namesIn(root, folder)).filter(isFileName);
    for (let at = 0; at < names.length; at += STATS_MAX) {
      const sizes = await Promise.all(
        names.slice(at, at + STATS_MAX).map((name) => sizeIn(root, folder, name)),
      );
      yield* sizes.filter((entry) => entry !== undefined);
    }
  }
}

/** An unmounted disk must not look like an empty repository: a folder of the kind may be missing, the root may not. */
async function foldersOf(root: string, kind: FileKind): Promise<string[]> {
  await stat(root).catch((cause: unknown) => {
    throw diskFailure(cause, `list ${kind}`, root);
  });
  if (kind === "config") return [root];
  const folder = join(root, kind);
  if (kind !== "data") return [folder];
  const names = await namesIn(root, folder);
  return names.filter((name) => /^[0-9a-f]{2}$/.test(name)).map((name) => join(folder, name));
}

async function namesIn(root: string, folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (cause) {
    if (systemCodeOf(cause) === "ENOENT") return [];
    throw diskFailure(cause, `list ${folder}`, root);
  }
}

/** `undefined` if the file went away since it was listed. */
async function sizeIn(root: string, folder: string, name: string): Promise<FileEntry | undefined> {
  try {
    const { size } = await stat(join(folder, name));
    return { name: name === "config" ? "" : name, sizeBytes: size };
  } catch (cause) {
    if (systemCodeOf(cause) === "ENOENT") return undefined;
    throw diskFailure(cause, `list ${folder}`, root);
  }
}

async function readPart(root: string, file: FileRef, range?: ByteRange): Promise<Uint8Array> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(join(root, folderPathOf(file)), "r");
    const wanted = range ?? { offset: 0, length: (await handle.stat()).size };
    // Not from the shared pool: the caller may hand the memory to another thread.
    const bytes = Buffer.allocUnsafeSlow(wanted.length);
    let done = 0;
    while (done < wanted.length) {
      const { bytesRead } = await handle.read(bytes, done, wanted.length - done, wanted.offset + done);
      if (bytesRead === 0) throw fileTruncated(root, file, wanted, wanted.offset + done);
      done += bytesRead;
    }
    return bytes;
  } catch (cause) {
    if (systemCodeOf(cause) === "ENOENT") throw fileMissing(root, file, cause);
    throw diskFailure(cause, `read ${folderPathOf(file)}`, root);
  } finally {
    await handle?.close();
  }
}

async function writeWhole(root: string, file: FileRef, parts: readonly Uint8Array[]): Promise<void> {
  const path = join(root, folderPathOf(file));
  const temporary = `${path}${LEFTOVER_MARK}${randomBytes(8).toString("hex")}`;
  const handle = await openNew(temporary);
  try {
    try {
      let left = parts.filter((part) => part.length > 0);
      if (left.length > 0) await writeParts(handle, left, sizeOf(left));
      await handle.datasync();
    } finally {
      await handle.close();
    }
    await publish(root, file, parts, temporary, path);
  } finally {
    await unlink(temporary).catch(() => {}); // Gone if it was renamed; else a leftover for the next sweep.
  }
  await syncFolder(dirname(path));
}

async function openNew(path: string): Promise<FileHandle> {
  try {
    return await open(path, "wx", FILE_MODE);
  } catch (cause) {
    if (systemCodeOf(cause) !== "ENOENT") throw cause;
    // One level only: if the disk is not mounted, this must not build a repository in its place.
    await mkdir(dirname(path), { mode: FOLDER_MODE });
    await syncFolder(dirname(dirname(path)));
    return open(path, "wx", FILE_MODE);
  }
}

async function writeParts(
  handle: FileHandle,
  parts: readonly Uint8Array[],
  wantedBytes: number,
): Promise<void> {
  const { bytesWritten } = await handle.writev([...parts]);
  if (bytesWritten === wantedBytes) return;
  // A full disk may take a part without an error; writing the rest then tells the reason.
  const rest = Buffer.concat(parts).subarray(bytesWritten);
  await handle.writeFile(rest);
}

/** A link, unlike a rename, never replaces a file that another writer was first to publish. */
async function publish(
  root: string,
  file: FileRef,
  parts: readonly Uint8Array[],
  temporary: string,
  path: string,
): Promise<void> {
  try {
    await link(temporary, path);
  } catch (cause) {
    const code = systemCodeOf(cause) ?? "";
    const isThere = code === "EEXIST" || (NO_LINKS.has(code) && (await exists(path)));
    if (isThere) {
      if (!holds(await readPart(root, file), parts)) throw fileExists(root, file);
    } else if (NO_LINKS.has(code)) await rename(temporary, path);
    else throw cause;
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** Makes the names in a folder durable. Windows has no such call; its journal keeps names in order. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
