/** Which blocks hold a file: the extent tree, or the older block map of ext2 and ext3. */

import { unreadable } from "./superblock.ts";

/** A run of a file's blocks; `physical` 0 is a hole or was never written: zeros. */
export type Run = { readonly logical: number; readonly count: number; readonly physical: number };
/** Reads one block of the file system. */
export type ReadBlock = (block: number) => Promise<DataView>;

const EXTENT_MAGIC = 0xf30a;
const DEPTH_MAX = 5;
/** An extent longer than this is marked as not yet written, and reads as zeros. */
const WRITTEN_LENGTH_MAX = 32_768;
const RUNS_MAX = 100_000;
const DIRECT_BLOCKS = 12;

/** `root` is the 60 bytes of the inode that hold the tree's root. */
export async function readExtents(root: DataView, read: ReadBlock): Promise<readonly Run[]> {
  const runs: Run[] = [];
  await walk(root, DEPTH_MAX + 1, read, runs);
  return runs.sort((a, b) => a.logical - b.logical);
}

async function walk(node: DataView, depthBelow: number, read: ReadBlock, runs: Run[]): Promise<void> {
  const [magic, entries, depth] = [node.getUint16(0, true), node.getUint16(2, true), node.getUint16(6, true)];
  if (magic !== EXTENT_MAGIC)
    throw unreadable(`extent node 0x${magic.toString(16)}`, `0x${EXTENT_MAGIC.toString(16)}`);
  // Depth must fall on the way down, else a forged tree would lead in circles.
  if (depth >= depthBelow || 12 + entries * 12 > node.byteLength)
    throw unreadable(`an extent node of depth ${depth} with ${entries} entries`, "a smaller one");
  for (let index = 0; index < entries; index += 1) {
    const at = 12 + index * 12;
    if (depth > 0) {
      const child = node.getUint16(at + 8, true) * 2 ** 32 + node.getUint32(at + 4, true);
      await walk(await read(child), depth, read, runs);
      continue;
    }
    if (runs.length >= RUNS_MAX) throw unreadable(`more than ${RUNS_MAX} extents`, "fewer");
    runs.push(leaf(node, at));
  }
}

function leaf(node: DataView, at: number): Run {
  const length = node.getUint16(at + 4, true);
  const isWritten = length <= WRITTEN_LENGTH_MAX;
  const physical = node.getUint16(at + 6, true) * 2 ** 32 + node.getUint32(at + 8, true);
  return {
    logical: node.getUint32(at, true),
    count: isWritten ? length : length - WRITTEN_LENGTH_MAX,
    physical: isWritten ? physical : 0,
  };
}

/** The block map: twelve direct blocks, then one, two and three levels of indirection. */
export async function readBlockMap(
  root: DataView,
  blockCount: number,
  blockBytes: number,
  read: ReadBlock,
): Promise<readonly Run[]> {
  const runs: Run[] = [];
  const perBlock = blockBytes / 4;
  const add = (physical: number): void => {
    if (runs.length >= RUNS_MAX)
      throw unreadable(`a file of more than ${RUNS_MAX} blocks in a block map`, "fewer");
    runs.push({ logical: runs.length, count: 1, physical });
  };
  const descend = async (block: number, level: number): Promise<void> => {
    if (runs.length >= blockCount) return;
    if (level === 0) return add(block);
    const node = block === 0 ? undefined : await read(block);
    for (let index = 0; index < perBlock && runs.length < blockCount; index += 1)
      await descend(node?.getUint32(index * 4, true) ?? 0, level - 1);
  };
  for (let index = 0; index < DIRECT_BLOCKS; index += 1) await descend(root.getUint32(index * 4, true), 0);
  for (const level of [1, 2, 3]) await descend(root.getUint32((DIRECT_BLOCKS + level - 1) * 4, true), level);
  return runs;
}
