/**
 * How a disk image lies in a snapshot: `/disks/<name>/<segment>/data`, 1,024 chunks of one size per segment.
 *
 * Each segment is a directory of its own, so an incremental backup writes only the trees of touched segments and a recovery
 * loads them when they are first read. Format: docs/formats/disk-image-layout.md.
 */

import { GIB, KIB, assert } from "@mainstay/kit";

export const CHUNKS_PER_SEGMENT = 1024;
/** Measured on a database's disk: docs/decisions/0008. */
const CHUNK_BYTES_MIN = 256 * KIB;
const CHUNK_BYTES_MAX = 4096 * KIB;
/** A disk has about this many segments at most; its chunks grow instead. */
const SEGMENTS_WANTED_MAX = 512;

export type ImageLayout = {
  readonly sizeBytes: number;
  readonly chunkBytes: number;
  readonly segmentBytes: number;
  readonly segmentCount: number;
};

/** The layout of a new image: chunks of 256 KiB up to 128 GiB, then doubling with the disk up to 4 MiB. */
export function layoutFor(sizeBytes: number): ImageLayout {
  let chunkBytes = CHUNK_BYTES_MIN;
  while (chunkBytes < CHUNK_BYTES_MAX && chunkBytes * CHUNKS_PER_SEGMENT * SEGMENTS_WANTED_MAX < sizeBytes) {
    chunkBytes *= 2;
  }
  return layoutWith(sizeBytes, chunkBytes);
}

/**
 * The layout of the next image of a disk: it keeps the chunk size of its parent, also when the disk grew beyond what a new one
 * would be cut by, or nothing of the parent could be used.
 */
export function layoutAfter(sizeBytes: number, parent: ImageLayout | undefined): ImageLayout {
  return parent === undefined || !isOurChunkSize(parent.chunkBytes)
    ? layoutFor(sizeBytes)
    : layoutWith(sizeBytes, parent.chunkBytes);
}

/** A foreign tree may look like an image of any chunk size; we write only powers of two between our bounds. */
function isOurChunkSize(chunkBytes: number): boolean {
  const isPowerOfTwo = (chunkBytes & (chunkBytes - 1)) === 0;
  return isPowerOfTwo && chunkBytes >= CHUNK_BYTES_MIN && chunkBytes <= CHUNK_BYTES_MAX;
}

/** The chunk size of an image that is one chunk long, which is as long as its disk: any that holds it will do. */
export function chunkBytesHolding(sizeBytes: number): number {
  let chunkBytes = CHUNK_BYTES_MIN;
  while (chunkBytes < sizeBytes) chunkBytes *= 2;
  return chunkBytes;
}

/** The last chunk of a disk may be shorter. */
export function chunkLength(layout: ImageLayout, chunk: number): number {
  return Math.min(layout.chunkBytes, layout.sizeBytes - chunk * layout.chunkBytes);
}

export function chunkCountOf(layout: ImageLayout): number {
  return Math.ceil(layout.sizeBytes / layout.chunkBytes);
}

/** How many chunks the segment has. */
export function chunksIn(layout: ImageLayout, segment: number): number {
  return Math.ceil(segmentLength(layout, segment) / layout.chunkBytes);
}

/** The layout of an image whose chunk size is known. */
export function layoutWith(sizeBytes: number, chunkBytes: number): ImageLayout {
  assert(sizeBytes >= 0 && Number.isSafeInteger(sizeBytes), "a disk has a size");
  const segmentBytes = chunkBytes * CHUNKS_PER_SEGMENT;
  return { sizeBytes, chunkBytes, segmentBytes, segmentCount: Math.ceil(sizeBytes / segmentBytes) };
}

/** How many bytes of the disk the segment holds; less than `segmentBytes` for the last one. */
export function segmentLength(layout: ImageLayout, segment: number): number {
  return Math.min(layout.segmentBytes, layout.sizeBytes - segment * layout.segmentBytes);
}

/** Segments are named by their number in eight digits, so that they sort as they lie on the disk. */
export function segmentName(segment: number): string {
  return segment.toString().padStart(8, "0");
}

export function segmentNumber(name: string): number | undefined {
  return /^\d{8}$/.test(name) ? Number(name) : undefined;
}

/** The folder that holds the disks of a restore point, and the file that holds the bytes of a segment. */
export const DISKS_FOLDER = "disks";
export const SEGMENT_FILE = "data";

/** Tells our images from other trees. */
export const IMAGE_TAG = "mainstay-image";

/** Sanity bound for a foreign description: no disk is larger. */
export const IMAGE_BYTES_MAX = 1024 * 1024 * GIB;
