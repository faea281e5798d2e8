/** The head of an ext4 file system: its superblock and group descriptors (Documentation/filesystems/ext4 in Linux). */

import { recoveryErrors } from "../errors.ts";

export const SUPERBLOCK_OFFSET = 1024;
export const SUPERBLOCK_BYTES = 1024;

const MAGIC = 0xef53;
const INCOMPAT_FILETYPE = 0x2;
const INCOMPAT_RECOVER = 0x4;
const INCOMPAT_EXTENTS = 0x40;
const INCOMPAT_64BIT = 0x80;
const INCOMPAT_FLEX_BG = 0x200;
const INCOMPAT_CSUM_SEED = 0x2000;
const INCOMPAT_LARGEDIR = 0x4000;
const INCOMPAT_INLINE_DATA = 0x8000;
const INCOMPAT_CASEFOLD = 0x20000;
/** What this reader understands; any other incompatible feature could make it read wrong bytes, so it refuses. */
const KNOWN =
  INCOMPAT_FILETYPE |
  INCOMPAT_RECOVER |
  INCOMPAT_EXTENTS |
  INCOMPAT_64BIT |
  INCOMPAT_FLEX_BG |
  INCOMPAT_CSUM_SEED |
  INCOMPAT_LARGEDIR |
  INCOMPAT_INLINE_DATA |
  INCOMPAT_CASEFOLD;
const BLOCK_SHIFT_MAX = 6;

export type Superblock = {
  readonly blockBytes: number;
  readonly firstDataBlock: number;
  readonly inodesPerGroup: number;
  readonly inodeCount: number;
  readonly inodeBytes: number;
  readonly descriptorBytes: number;
  readonly uuid: string;
  readonly label: string;
  /** Not unmounted cleanly: the journal holds newer versions of blocks than their places do. */
  readonly needsRecovery: boolean;
};

/** `undefined` if the bytes are not an ext file system at all; throws `recovery.filesystem-unreadable` if it is one we cannot read. */
export function parseSuperblock(bytes: Uint8Array): Superblock | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.byteLength < SUPERBLOCK_BYTES || view.getUint16(0x38, true) !== MAGIC) return undefined;
  const incompatible = view.getUint32(0x60, true);
  const shift = view.getUint32(0x18, true);
  const unknown = incompatible & ~KNOWN;
  if (unknown !== 0)
    throw unreadable(`feature bits 0x${(unknown >>> 0).toString(16)}`, "features this reader knows");
  if (shift > BLOCK_SHIFT_MAX) throw unreadable(`a block size of 2^${10 + shift}`, "at most 64 KiB");
  const is64 = (incompatible & INCOMPAT_64BIT) !== 0;
  const inodeBytes = view.getUint32(0x4c, true) === 0 ? 128 : view.getUint16(0x58, true);
  const inodesPerGroup = view.getUint32(0x28, true);
  if (inodeBytes < 128 || inodeBytes > 1024 << shift || inodesPerGroup === 0)
    throw unreadable(`inodes of ${inodeBytes} bytes, ${inodesPerGroup} a group`, "sizes that fit a block");
  const descriptorBytes = is64 ? view.getUint16(0xfe, true) : 32;
  if (descriptorBytes < 32 || descriptorBytes > 1024)
    throw unreadable(`group descriptors of ${descriptorBytes} bytes`, "32 to 1024");
  return {
    blockBytes: 1024 << shift,
    firstDataBlock: view.getUint32(0x14, true),
    inodesPerGroup,
    inodeCount: view.getUint32(0, true),
    inodeBytes,
    descriptorBytes,
    uuid: uuidText(bytes.subarray(0x68, 0x78)),
    label: Buffer.from(bytes.subarray(0x78, 0x88)).toString("utf8").replace(/\0.*$/s, ""),
    needsRecovery: (incompatible & INCOMPAT_RECOVER) !== 0,
  };
}

/** The block where the inode table of a group starts, out of its descriptor. */
export function inodeTableBlock(descriptor: DataView): number {
  const low = descriptor.getUint32(0x08, true);
  const high = descriptor.byteLength >= 64 ? descriptor.getUint32(0x28, true) : 0;
  return high * 2 ** 32 + low;
}

function uuidText(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes).toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

export function unreadable(found: string, wanted: string): Error {
  return recoveryErrors.error(
    "filesystem-unreadable",
    `Cannot read file system: found ${found}, wanted ${wanted}`,
  );
}
