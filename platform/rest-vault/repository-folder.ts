/**
 * The files of one repository on disk, in restic's own layout, so that a restic on this machine can use the folder too.
 * Writes become visible at once and whole, and only after they are durable.
 */

import { createHash, randomBytes } from "node:crypto";
import { link, mkdir, open, readdir, readFile, rm, stat, unlink, type FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";
import { systemCodeOf } from "@mainstay/kit";
import { FILE_KINDS, type FileKind } from "./request-path.ts";

const FOLDER_MODE = 0o700;
const FILE_MODE = 0o400;
const NAME_PATTERN = /^[0-9a-f]{64}$/;

/** How many files are asked for their size at once. */
const STATS_MAX = 32;

export type StoredFile =
  | { readonly kind: "config" }
  | { readonly kind: "file"; readonly of: FileKind; readonly name: string };

export type ListedFile = { readonly name: string; readonly size: number };

export type StoreResult =
  | { readonly kind: "stored"; readonly sizeBytes: number }
  /** The very same content is there already. */
  | { readonly kind: "known" }
  | { readonly kind: "taken" | "too-large" | "wrong-name" };

/** Makes the folders. May be called again. */
export async function createFolder(root: string): Promise<void> {
  await mkdir(root, { recursive: true, mode: FOLDER_MODE });
  for (const kind of FILE_KINDS) await mkdir(join(root, kind), { recursive: true, mode: FOLDER_MODE });
  for (let byte = 0; byte < 256; byte += 1) {
    const name = byte.toString(16).padStart(2, "0");
    await mkdir(join(root, "data", name), { recursive: true, mode: FOLDER_MODE });
  }
  for (const folder of [join(root, "data"), root, dirname(root)]) await syncFolder(folder);
}

/** An open file, which the caller closes; `undefined` if it is not there. */
export async function openStored(
  root: string,
  file: StoredFile,
): Promise<{ readonly handle: FileHandle; readonly sizeBytes: number } | undefined> {
  try {
    const handle = await open(pathOf(root, file), "r");
    return { handle, sizeBytes: (await handle.stat()).size };
  } catch (cause) {
    if (systemCodeOf(cause) === "ENOENT") return undefined;
    throw cause;
  }
}

export async function sizeOfStored(root: string, file: StoredFile): Promise<number | undefined> {
  try {
    return (await stat(pathOf(root, file))).size;
  } catch (cause) {
    if (systemCodeOf(cause) === "ENOENT") return undefined;
    throw cause;
  }
}

/** Whole files only: what is being written has another name. `undefined` if there is no such folder. */
export async function listStored(root: string, kind: FileKind): Promise<ListedFile[] | undefined> {
  const folder = join(root, kind);
  const folders = kind === "data" ? await packFolders(folder) : [folder];
  if (folders === undefined) return undefined;
  const listed: ListedFile[] = [];
  for (const each of folders) {
    const found = await namesIn(each);
    if (found === undefined) return undefined;
    const names = found.filter((name) => NAME_PATTERN.test(name));
    for (let at = 0; at < names.length; at += STATS_MAX) {
      listed.push(
        ...(await Promise.all(names.slice(at, at + STATS_MAX).map((name) => sizeIn(each, name)))).flat(),
      );
    }
  }
  return listed;
}

/** Removes a file; `false` if it is not there. */
export async function removeStored(root: string, file: StoredFile): Promise<boolean> {
  try {
    await unlink(pathOf(root, file));
    return true;
  } catch (cause) {
    if (systemCodeOf(cause) === "ENOENT") return false;
    throw cause;
  }
}

/**
 * Stores what comes, once its SHA-256 is its name (a config has none), and never in place of another file. A refused body may
 * not have been read to its end. What a crash leaves behind bears restic's `-tmp-` name, and the vault's disk backend
 * sweeps it.
 */
export async function store(
  root: string,
  file: StoredFile,
  body: AsyncIterable<Uint8Array>,
  sizeBytesMax: number,
): Promise<StoreResult> {
  const path = pathOf(root, file);
  const temporary = `${path}-tmp-${randomBytes(8).toString("hex")}`;
  const handle = await open(temporary, "wx", FILE_MODE);
  try {
    const written = await writeBody(handle, body, sizeBytesMax);
    if (written === undefined) return { kind: "too-large" };
    if (file.kind === "file" && written.sha256 !== file.name) return { kind: "wrong-name" };
    return await publish(temporary, path, written.sizeBytes);
  } finally {
    await rm(temporary, { force: true });
  }
}

async function writeBody(
  handle: FileHandle,
  body: AsyncIterable<Uint8Array>,
  sizeBytesMax: number,
): Promise<{ readonly sizeBytes: number; readonly sha256: string } | undefined> {
  try {
    const hash = createHash("sha256");
    let sizeBytes = 0;
    for await (const piece of body) {
      sizeBytes += piece.length;
      if (sizeBytes > sizeBytesMax) return undefined;
      hash.update(piece);
      await handle.writeFile(piece);
    }
    await handle.sync();
    return { sizeBytes, sha256: hash.digest("hex") };
  } finally {
    await handle.close();
  }
}

/** A link, unlike a rename, never replaces a file that is there. */
async function publish(temporary: string, path: string, sizeBytes: number): Promise<StoreResult> {
  try {
    await link(temporary, path);
  } catch (cause) {
    if (systemCodeOf(cause) !== "EEXIST") throw cause;
    // The stored file is read, not believed: a damaged one must not pass for what the client holds.
    const isSame = (await readFile(path)).equals(await readFile(temporary));
    return { kind: isSame ? "known" : "taken" };
  }
  await syncFolder(dirname(path));
  return { kind: "stored", sizeBytes };
}

function pathOf(root: string, file: StoredFile): string {
  if (file.kind === "config") return join(root, "config");
  const folder = file.of === "data" ? join("data", file.name.slice(0, 2)) : file.of;
  return join(root, folder, file.name);
}

async function packFolders(folder: string): Promise<string[] | undefined> {
  const names = await namesIn(folder);
  return names?.filter((name) => /^[0-9a-f]{2}$/.test(name)).map((name) => join(folder, name));
}

async function namesIn(folder: string): Promise<string[] | undefined> {
  try {
    return await readdir(folder);
  } catch (cause) {
    if (systemCodeOf(cause) === "ENOENT") return undefined;
    throw cause;
  }
}

/** Nothing if the file went away since it was listed. */
async function sizeIn(folder: string, name: string): Promise<ListedFile[]> {
  try {
    return [{ name, size: (await stat(join(folder, name))).size }];
  } catch (cause) {
    if (systemCodeOf(cause) === "ENOENT") return [];
    throw cause;
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
