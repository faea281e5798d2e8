/**
 * The compiled hot path, one instance per thread: Poly1305 and the scan for cut points. Its memory is fixed at 128 KiB; input
 * is copied in piece by piece, so the size of a message does not matter.
 *
 * Nothing here waits, so a caller inside one synchronous function has the instance for itself.
 */

import { readFileSync } from "node:fs";

/** The places of `source/layout.ts`. */
export const KEY_AT = 0x400;
export const TAG_AT = 0x420;
export const SCRATCH_AT = 0x10000;

/** How much is copied in at once: fits the first-level cache beside the tables. */
export const PIECE_BYTES_MAX = 32 * 1024;

export type HotPath = {
  readonly memory: Uint8Array<ArrayBuffer>;
  readonly polyStart: () => void;
  readonly polyUpdate: (at: number, length: number) => void;
  readonly polyFinish: () => void;
  readonly rabinPrepare: (polynomial: bigint) => void;
  readonly rabinScan: (at: number, length: number, mask: bigint) => number;
};

let instance: HotPath | undefined;

/** This thread's instance. */
export function hotPath(): HotPath {
  instance ??= instantiate(loadBytes());
  return instance;
}

/** The only place that knows where the bytes lie. */
function loadBytes(): Uint8Array<ArrayBuffer> {
  return readFileSync(new URL("hot-path.wasm", import.meta.url));
}

function instantiate(bytes: Uint8Array<ArrayBuffer>): HotPath {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- source/hot-path.ts is what the types say
  const exports = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports as unknown as Omit<
    HotPath,
    "memory"
  > & { readonly memory: WebAssembly.Memory };
  const { memory, ...functions } = exports;
  return { ...functions, memory: new Uint8Array(memory.buffer) };
}
