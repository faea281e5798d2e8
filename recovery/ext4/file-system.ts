/**
 * Reading files out of an ext2, ext3 or ext4 file system on a block device, without mounting it: no kernel driver meets
 * hostile bytes, no root is needed, nothing is written (not even the journal is replayed).
 */

import { MIB } from "@mainstay/kit";
import type { BlockDevice } from "@mainstay/nbd";
import { recoveryErrors } from "../errors.ts";
import { readBlockMap, readExtents, type Run } from "./blocks.ts";
import { parseDirectory, type DirectoryEntry } from "./directory.ts";
import type { Partition } from "./partitions.ts";
import {
  inodeTableBlock,
  parseSuperblock,
  SUPERBLOCK_BYTES,
  SUPERBLOCK_OFFSET,
  unreadable,
  type Superblock,
} from "./superblock.ts";

const ROOT_INODE = 2;
const FLAG_EXTENTS = 0x80000;
const FLAG_INLINE_DATA = 0x10000000;
const FLAG_ENCRYPTED = 0x800;
const SYMLINKS_MAX = 16;
const FILE_BYTES_MAX = 1024 * MIB;
const DIRECTORY_BYTES_MAX = 64 * MIB;
/** Symbolic links up to this length lie in the inode itself. */
const FAST_LINK_BYTES = 60;

type Kind = "file" | "directory" | "link" | "other";
type Inode = {
  readonly number: number;
  readonly kind: Kind;
  readonly sizeBytes: number;
  readonly flags: number;
  readonly root: DataView;
};

export type Ext4 = {
  readonly superblock: Superblock;
  /** Names in a directory. Rejects with `recovery.file-missing`. */
  list(path: string): Promise<readonly string[]>;
  /** A whole file, links followed. Rejects with `recovery.file-missing`, `.filesystem-unreadable`. */
  readFile(path: string, bytesMax?: number): Promise<Uint8Array>;
  exists(path: string): Promise<boolean>;
};

/** `undefined` if there is no such file system at this place. */
export async function openExt4(
  device: BlockDevice,
  place: Pick<Partition, "offset" | "length">,
): Promise<Ext4 | undefined> {
  if (place.length < SUPERBLOCK_OFFSET + SUPERBLOCK_BYTES) return undefined;
  const superblock = parseSuperblock(await device.read(place.offset + SUPERBLOCK_OFFSET, SUPERBLOCK_BYTES));
  if (superblock === undefined) return undefined;
  const reader = inodeReader(device, place, superblock);
  return {
    superblock,
    list: async (path) => (await reader.entries(await reader.resolve(path))).map((entry) => entry.name),
    readFile: async (path, bytesMax = FILE_BYTES_MAX) => {
      const inode = await reader.resolve(path);
      if (inode.kind !== "file") throw missing(path, `a ${inode.kind}`);
      return reader.content(inode, bytesMax);
    },
    exists: async (path) => {
      try {
        await reader.resolve(path);
        return true;
      } catch (cause) {
        if (recoveryErrors.is(cause, "file-missing")) return false;
        throw cause;
      }
    },
  };
}

type InodeReader = {
  resolve(path: string): Promise<Inode>;
  entries(inode: Inode): Promise<readonly DirectoryEntry[]>;
  content(inode: Inode, bytesMax: number): Promise<Uint8Array>;
};

function inodeReader(
  device: BlockDevice,
  place: Pick<Partition, "offset" | "length">,
  superblock: Superblock,
): InodeReader {
  const { blockBytes } = superblock;
  const readAt = async (offset: number, length: number): Promise<DataView> => {
    if (offset < 0 || offset + length > place.length)
      throw unreadable(`a block at byte ${offset}`, `one below ${place.length}`);
    const bytes = await device.read(place.offset + offset, length);
    return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  };
  const readInode = async (number: number): Promise<Inode> => {
    if (number < 1 || number > superblock.inodeCount)
      throw unreadable(`inode ${number}`, `1 to ${superblock.inodeCount}`);
    const group = Math.floor((number - 1) / superblock.inodesPerGroup);
    const table = (superblock.firstDataBlock + 1) * blockBytes;
    const descriptor = await readAt(table + group * superblock.descriptorBytes, superblock.descriptorBytes);
    const index = (number - 1) % superblock.inodesPerGroup;
    return parseInode(
      number,
      await readAt(
        inodeTableBlock(descriptor) * blockBytes + index * superblock.inodeBytes,
        superblock.inodeBytes,
      ),
    );
  };
  const runsOf = (inode: Inode): Promise<readonly Run[]> => {
    const readBlock = (block: number): Promise<DataView> => readAt(block * blockBytes, blockBytes);
    if ((inode.flags & FLAG_EXTENTS) !== 0) return readExtents(inode.root, readBlock);
    return readBlockMap(inode.root, Math.ceil(inode.sizeBytes / blockBytes), blockBytes, readBlock);
  };
  const content = async (inode: Inode, bytesMax: number): Promise<Uint8Array> => {
    if (inode.sizeBytes > bytesMax)
      throw unreadable(`a file of ${inode.sizeBytes} bytes`, `at most ${bytesMax}`);
    if ((inode.flags & FLAG_ENCRYPTED) !== 0) throw unreadable("an encrypted file", "a plain one");
    if ((inode.flags & FLAG_INLINE_DATA) !== 0)
      throw unreadable("a file inside its inode", "a file in blocks");
    const bytes = new Uint8Array(inode.sizeBytes);
    for (const run of await runsOf(inode)) {
      const start = run.logical * blockBytes;
      const length = Math.min(run.count * blockBytes, inode.sizeBytes - start);
      if (length <= 0 || run.physical === 0) continue;
      const data = await readAt(run.physical * blockBytes, length);
      bytes.set(new Uint8Array(data.buffer, data.byteOffset, length), start);
    }
    return bytes;
  };
  const entries = async (inode: Inode): Promise<readonly DirectoryEntry[]> =>
    parseDirectory(await content(inode, DIRECTORY_BYTES_MAX), blockBytes);
  const linkTarget = async (inode: Inode): Promise<string> => {
    const isFast = inode.sizeBytes < FAST_LINK_BYTES && (inode.flags & FLAG_EXTENTS) === 0;
    const bytes = isFast
      ? new Uint8Array(inode.root.buffer, inode.root.byteOffset, inode.sizeBytes)
      : await content(inode, blockBytes);
    return Buffer.from(bytes).toString("utf8");
  };
  return { resolve: (path) => resolvePath(path, { readInode, entries, linkTarget }), entries, content };
}

type Steps = Pick<InodeReader, "entries"> & {
  readInode(number: number): Promise<Inode>;
  linkTarget(inode: Inode): Promise<string>;
};

async function resolvePath(path: string, steps: Steps): Promise<Inode> {
  const todo = path.split("/").filter((part) => part !== "");
  const trail: Inode[] = [await steps.readInode(ROOT_INODE)];
  let links = 0;
  for (let part = todo.shift(); part !== undefined; part = todo.shift()) {
    const here = trail.at(-1);
    if (here === undefined || here.kind !== "directory")
      throw missing(path, `"${part}" below something that is no directory`);
    if (part === ".") continue;
    if (part === "..") {
      if (trail.length > 1) trail.pop();
      continue;
    }
    const entry = (await steps.entries(here)).find((one) => one.name === part);
    if (entry === undefined) throw missing(path, `no "${part}"`);
    const next = await steps.readInode(entry.inode);
    if (next.kind !== "link") {
      trail.push(next);
      continue;
    }
    links += 1;
    if (links > SYMLINKS_MAX) throw missing(path, `more than ${SYMLINKS_MAX} links`);
    const target = await steps.linkTarget(next);
    if (target.startsWith("/")) trail.length = 1;
    todo.unshift(...target.split("/").filter((one) => one !== ""));
  }
  const found = trail.at(-1);
  if (found === undefined) throw missing(path, "nothing");
  return found;
}

function parseInode(number: number, view: DataView): Inode {
  const mode = view.getUint16(0, true) & 0xf000;
  const kinds: Readonly<Record<number, Kind>> = { 0x8000: "file", 0x4000: "directory", 0xa000: "link" };
  const kind = kinds[mode] ?? "other";
  const sizeBytes = view.getUint32(0x6c, true) * 2 ** 32 + view.getUint32(4, true);
  return {
    number,
    kind,
    sizeBytes,
    flags: view.getUint32(0x20, true),
    root: new DataView(view.buffer, view.byteOffset + 0x28, 60),
  };
}

function missing(path: string, found: string): Error {
  return recoveryErrors.error("file-missing", `Cannot find ${path} on the disk: found ${found}`, {
    values: { path },
  });
}
