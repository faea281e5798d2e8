/** Looking at the entries of a folder before their turn comes: small files are read, folders listed, several at once. */

import { constants, type BigIntStats } from "node:fs";
import { lstat, open, readdir, readlink, type FileHandle } from "node:fs/promises";
import { MainstayError, messageOf, systemCodeOf } from "@mainstay/kit";
import type { TreeNode } from "@mainstay/vault";
import { nodeOf, type IdNames } from "./file-node.ts";
import type { ParentFolder } from "./parent-folder.ts";

/** What an entry turned out to be. */
export type LookedAt =
  /** Nothing of it has to be stored but the node: a link, a device, a file that the parent has as it is. */
  | { readonly kind: "complete"; readonly node: TreeNode }
  | { readonly kind: "folder"; readonly node: TreeNode; readonly path: Buffer; readonly listing: Listing }
  /** A small file, read to its end. */
  | { readonly kind: "content"; readonly node: TreeNode; readonly bytes: Buffer }
  /** A file that is to be read when its turn comes. */
  | { readonly kind: "file"; readonly node: TreeNode; readonly path: Buffer }
  | { readonly kind: "unreadable"; readonly path: Buffer; readonly reason: string };

/** The names in a folder, and the same folder in the parent restore point. */
export type Listing = { readonly names: readonly Buffer[]; readonly parent: ParentFolder | undefined };

export type LookOptions = {
  readonly names: IdNames;
  /** Whether the parent restore point has the file as it is now. */
  readonly isUnchanged: (node: TreeNode, before: TreeNode) => boolean;
};

const SLASH = Buffer.from("/");
/** A name that became a link is not followed, one that became a pipe is not waited for. */
const OPEN_FLAGS = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);
/** Each level of folders that the walk is in holds this many entries at most, small files with their bytes. */
const AHEAD_MAX = 16;
const SMALL_FILE_BYTES_MAX = 64 * 1024;

/** The entries of the folder in their order. */
export async function* lookAhead(
  options: LookOptions,
  folder: Buffer,
  { names, parent }: Listing,
): AsyncGenerator<LookedAt> {
  const looking: Promise<LookedAt>[] = [];
  for (const name of names) {
    const entry = lookAt(options, folder, name, parent);
    // Heard when its turn comes, unless the walk fails before.
    void entry.catch(() => undefined);
    looking.push(entry);
    const [first] = looking;
    if (looking.length < AHEAD_MAX || first === undefined) continue;
    void looking.shift();
    yield await first;
  }
  for (const entry of looking) yield await entry;
}

/** What another program or a person did to an entry is told in the result; anything else rejects. */
export async function lookAt(
  options: LookOptions,
  folder: Buffer,
  name: Buffer,
  parent: ParentFolder | undefined,
): Promise<LookedAt> {
  const path = joinPath(folder, name);
  try {
    const node = nodeOf(name, await stats(path), options.names);
    if (node.type === "dir")
      return { kind: "folder", node, path, listing: await listFolder(path, await parent?.folder(name)) };
    if (node.type === "symlink")
      return {
        kind: "complete",
        node: { ...node, linkTarget: await readlink(path, { encoding: "buffer" }) },
      };
    if (node.type !== "file") return { kind: "complete", node };
    const before = await parent?.file(name);
    if (before !== undefined && options.isUnchanged(node, before))
      return { kind: "complete", node: { ...node, content: before.content } };
    const bytes =
      (node.size ?? 0) <= SMALL_FILE_BYTES_MAX ? await readSmall(path, node.size ?? 0) : undefined;
    return bytes === undefined ? { kind: "file", node, path } : { kind: "content", node, bytes };
  } catch (cause) {
    if (!isOfEntry(cause)) throw cause;
    return { kind: "unreadable", path, reason: messageOf(cause) };
  }
}

/** Names in the order of their bytes. */
export async function listFolder(path: Buffer, parent: ParentFolder | undefined): Promise<Listing> {
  const [names] = await Promise.all([readdir(path, { encoding: "buffer" }), parent?.load()]);
  return { names: names.sort((left, right) => Buffer.compare(left, right)), parent };
}

export function joinPath(folder: Buffer, name: Buffer): Buffer {
  return folder.equals(SLASH) ? Buffer.concat([SLASH, name]) : Buffer.concat([folder, SLASH, name]);
}

function stats(path: Buffer): Promise<BigIntStats> {
  return lstat(path, { bigint: true });
}

/** Whether it is about the entry alone. Failures of the repository have codes too, and must end the backup. */
export function isOfEntry(cause: unknown): boolean {
  return !(cause instanceof MainstayError) && systemCodeOf(cause) !== undefined;
}

/** Opens what was a file when it was looked at. */
export async function openFile(path: Buffer): Promise<FileHandle> {
  const file = await open(path, OPEN_FLAGS);
  if ((await file.stat()).isFile()) return file;
  await file.close();
  throw Object.assign(new Error("it is no longer a file"), { code: "ESTALE" });
}

/** `undefined` if the file is no longer as long as it was: it is then read to wherever it ends. */
async function readSmall(path: Buffer, sizeBytes: number): Promise<Buffer | undefined> {
  const file = await openFile(path);
  try {
    // One byte more than there should be, so that one read tells that the file ends there.
    const bytes = Buffer.allocUnsafe(sizeBytes + 1);
    const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
    return bytesRead === sizeBytes ? bytes.subarray(0, sizeBytes) : undefined;
  } finally {
    await file.close();
  }
}
