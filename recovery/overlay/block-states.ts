/**
 * The state of every block of a large disk in little memory: two bits a block, in leaves that exist only where the
 * blocks of a leaf differ. An untouched disk of 700 GB costs a few kilobytes, a fully written one 45 MB.
 */

import { assert } from "@mainstay/kit";

/** 0: as in the base; 1: data in the overlay; 2: zero. */
export type BlockState = 0 | 1 | 2;

export const IN_BASE = 0;
export const IN_OVERLAY = 1;
export const ZERO = 2;

export type BlockRun = { readonly first: number; readonly count: number; readonly state: BlockState };

/** 256 MiB of a disk with blocks of 4 KiB. */
const LEAF_BLOCKS = 64 * 1024;
const BLOCKS_PER_BYTE = 4;
/** The byte of four blocks that are all in one state. */
const FOUR_OF: readonly number[] = [0x00, 0x55, 0xaa];

export class BlockStates {
  readonly blockCount: number;
  /** A number where all blocks of the leaf are alike. */
  readonly #leaves: (BlockState | Uint8Array)[];
  readonly #counts: number[];

  constructor(blockCount: number) {
    this.blockCount = blockCount;
    this.#leaves = Array.from({ length: Math.ceil(blockCount / LEAF_BLOCKS) }, () => IN_BASE);
    this.#counts = [blockCount, 0, 0];
  }

  /** How many blocks are in a state. */
  count(state: BlockState): number {
    return this.#counts[state] ?? 0;
  }

  get(block: number): BlockState {
    const leaf = this.#leaves[Math.floor(block / LEAF_BLOCKS)] ?? IN_BASE;
    return typeof leaf === "number" ? leaf : stateIn(leaf, block % LEAF_BLOCKS);
  }

  set(first: number, count: number, state: BlockState): void {
    assert(first >= 0 && first + count <= this.blockCount, "blocks lie on the disk");
    const end = first + count;
    for (let at = first; at < end;) {
      const leaf = Math.floor(at / LEAF_BLOCKS);
      const until = Math.min(end, (leaf + 1) * LEAF_BLOCKS);
      this.#setInLeaf(leaf, at - leaf * LEAF_BLOCKS, until - leaf * LEAF_BLOCKS, state);
      at = until;
    }
  }

  /** The blocks of a range in runs of one state, in order, no two neighbours alike. */
  *runs(first = 0, count = this.blockCount): Generator<BlockRun> {
    const end = first + count;
    let runFirst = first;
    let state: BlockState = count > 0 ? this.get(first) : IN_BASE;
    for (let at = first; at < end;) {
      const next = this.get(at);
      if (next !== state) {
        yield { first: runFirst, count: at - runFirst, state };
        runFirst = at;
        // Not `next`: who took the run may have changed blocks in the meantime.
        state = this.get(at);
      }
      at = Math.min(end, this.#endOfLikes(at, state));
    }
    if (end > runFirst) yield { first: runFirst, count: end - runFirst, state };
  }

  /** A block after `block` up to which all are known to be in `state`, found by whole leaves and bytes. */
  #endOfLikes(block: number, state: BlockState): number {
    const leafIndex = Math.floor(block / LEAF_BLOCKS);
    const leaf = this.#leaves[leafIndex] ?? IN_BASE;
    if (typeof leaf === "number") return (leafIndex + 1) * LEAF_BLOCKS;
    const within = block - leafIndex * LEAF_BLOCKS;
    if (within % BLOCKS_PER_BYTE !== 0) return block + 1;
    const four = FOUR_OF[state];
    let byte = within / BLOCKS_PER_BYTE;
    while (byte < leaf.length && leaf[byte] === four) byte += 1;
    return leafIndex * LEAF_BLOCKS + Math.max(byte * BLOCKS_PER_BYTE, within + 1);
  }

  #setInLeaf(index: number, from: number, to: number, state: BlockState): void {
    const leaf = this.#leaves[index] ?? IN_BASE;
    if (leaf === state) return;
    const leafBlocks = Math.min(LEAF_BLOCKS, this.blockCount - index * LEAF_BLOCKS);
    if (from === 0 && to === leafBlocks) {
      this.#countLeaf(leaf, leafBlocks, -1);
      this.#leaves[index] = state;
      this.#count(state, leafBlocks);
      return;
    }
    const bytes =
      typeof leaf === "number"
        ? new Uint8Array(LEAF_BLOCKS / BLOCKS_PER_BYTE).fill(FOUR_OF[leaf] ?? 0)
        : leaf;
    this.#leaves[index] = bytes;
    for (let block = from; block < to; block += 1) {
      const shift = (block % BLOCKS_PER_BYTE) * 2;
      const byte = block >> 2;
      const old = stateIn(bytes, block);
      if (old === state) continue;
      bytes[byte] = ((bytes[byte] ?? 0) & ~(3 << shift)) | (state << shift);
      this.#count(old, -1);
      this.#count(state, 1);
    }
  }

  #countLeaf(leaf: BlockState | Uint8Array, leafBlocks: number, sign: number): void {
    if (typeof leaf === "number") {
      this.#count(leaf, sign * leafBlocks);
      return;
    }
    for (let block = 0; block < leafBlocks; block += 1) this.#count(stateIn(leaf, block), sign);
  }

  #count(state: BlockState, change: number): void {
    this.#counts[state] = (this.#counts[state] ?? 0) + change;
  }
}

function stateIn(leaf: Uint8Array, block: number): BlockState {
  const state = ((leaf[block >> 2] ?? 0) >> ((block & 3) * 2)) & 3;
  assert(state === 0 || state === 1 || state === 2, "a block has one of three states");
  return state;
}
