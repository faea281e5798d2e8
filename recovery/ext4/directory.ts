/** The entries of a directory. Hashed directories are read in a line too: their index blocks look like empty entries. */

import { unreadable } from "./superblock.ts";

export type DirectoryEntry = { readonly name: string; readonly inode: number };

const ENTRY_HEAD_BYTES = 8;
/** The checksum at a block's end poses as an entry of this type. */
const CHECKSUM_TYPE = 0xde;

export function parseDirectory(bytes: Uint8Array, blockBytes: number): readonly DirectoryEntry[] {
  const entries: DirectoryEntry[] = [];
  for (let start = 0; start < bytes.byteLength; start += blockBytes) {
    parseBlock(bytes.subarray(start, start + blockBytes), entries);
  }
  return entries;
}

function parseBlock(block: Uint8Array, entries: DirectoryEntry[]): void {
  const view = new DataView(block.buffer, block.byteOffset, block.byteLength);
  let at = 0;
  while (at + ENTRY_HEAD_BYTES <= block.byteLength) {
    const inode = view.getUint32(at, true);
    const written = view.getUint16(at + 4, true);
    // Blocks of 64 KiB: a length that does not fit 16 bits is written as 0 or 65535 for "to the end".
    const length =
      block.byteLength >= 65_536 && (written === 0 || written === 65_535) ? block.byteLength - at : written;
    const nameBytes = view.getUint8(at + 6);
    const type = view.getUint8(at + 7);
    if (length < ENTRY_HEAD_BYTES || at + length > block.byteLength)
      throw unreadable(`a directory entry of ${length} bytes`, "one that fits its block");
    if (inode !== 0 && nameBytes > 0 && nameBytes <= length - ENTRY_HEAD_BYTES && type !== CHECKSUM_TYPE) {
      const name = Buffer.from(
        block.subarray(at + ENTRY_HEAD_BYTES, at + ENTRY_HEAD_BYTES + nameBytes),
      ).toString("utf8");
      entries.push({ name, inode });
    }
    at += length;
  }
}
