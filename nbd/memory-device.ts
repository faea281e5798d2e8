/** A disk in memory that keeps only pages which are not zero: for tests and for measuring the protocol alone. */

import type { BlockDevice, Extent } from "./block-device.ts";
import { appendExtent, eachPiece } from "./extents.ts";

const PAGE_BYTES = 64 * 1024;

export type MemoryDevice = BlockDevice & {
  /** How often `flush` was asked; tests of FUA look at it. */
  readonly flushes: number;
};

export type MemoryDeviceOptions = { readonly writable?: boolean };

/** A device of zeros. */
export function memoryDevice(sizeBytes: number, options: MemoryDeviceOptions = {}): MemoryDevice {
  const pages = new Map<number, Buffer>();
  let flushes = 0;
  const pageOf = (index: number): Buffer => {
    const page = pages.get(index) ?? Buffer.alloc(PAGE_BYTES);
    pages.set(index, page);
    return page;
  };
  const zero = (offset: number, length: number): void => {
    for (const piece of eachPiece(offset, length, PAGE_BYTES)) {
      if (piece.length === PAGE_BYTES) pages.delete(piece.index);
      else pages.get(piece.index)?.fill(0, piece.within, piece.within + piece.length);
    }
  };
  const device = {
    sizeBytes,
    writable: options.writable ?? true,
    zeroesAreFast: true,
    get flushes() {
      return flushes;
    },
    read: async (offset: number, length: number): Promise<Uint8Array> => {
      const bytes = Buffer.allocUnsafeSlow(length);
      for (const piece of eachPiece(offset, length, PAGE_BYTES)) {
        const page = pages.get(piece.index);
        if (page === undefined) bytes.fill(0, piece.done, piece.done + piece.length);
        else page.copy(bytes, piece.done, piece.within, piece.within + piece.length);
      }
      return bytes;
    },
    extents: async (offset: number, length: number): Promise<readonly Extent[]> => {
      const extents: Extent[] = [];
      for (const piece of eachPiece(offset, length, PAGE_BYTES)) {
        const kind = pages.has(piece.index) ? "data" : "zero";
        appendExtent(extents, { offset: offset + piece.done, length: piece.length, kind });
      }
      return extents;
    },
    write: async (offset: number, bytes: Uint8Array): Promise<void> => {
      for (const piece of eachPiece(offset, bytes.length, PAGE_BYTES)) {
        pageOf(piece.index).set(bytes.subarray(piece.done, piece.done + piece.length), piece.within);
      }
    },
    writeZeroes: async (offset: number, length: number): Promise<void> => zero(offset, length),
    trim: async (offset: number, length: number): Promise<void> => zero(offset, length),
    flush: async (): Promise<void> => {
      flushes += 1;
    },
    close: async (): Promise<void> => {},
  };
  return device;
}
