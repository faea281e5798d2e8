/** Arithmetic of extents: runs of bytes that are in order and do not overlap. */

import type { Extent } from "./block-device.ts";

/** Adds an extent that begins at or after the end of the last one, joining the two when they touch and are alike. */
export function appendExtent(extents: Extent[], next: Extent): void {
  if (next.length === 0) return;
  const last = extents.at(-1);
  const touches = last !== undefined && last.offset + last.length === next.offset;
  if (touches && last.kind === next.kind)
    extents[extents.length - 1] = { ...last, length: last.length + next.length };
  else extents.push(next);
}

/**
 * The part of an ordered list of extents that lies in a range; what the list does not cover counts as data, because
 * only what is known to be zero may be skipped.
 */
export function clipExtents(extents: readonly Extent[], offset: number, length: number): readonly Extent[] {
  const clipped: Extent[] = [];
  const end = offset + length;
  let at = offset;
  for (let index = firstEndingAfter(extents, offset); at < end; index += 1) {
    const extent = extents[index];
    const start = extent === undefined ? end : Math.min(extent.offset, end);
    if (start > at) appendExtent(clipped, { offset: at, length: start - at, kind: "data" });
    at = Math.max(at, start);
    if (extent === undefined || at >= end) break;
    const until = Math.min(extent.offset + extent.length, end);
    appendExtent(clipped, { offset: at, length: until - at, kind: extent.kind });
    at = until;
  }
  return clipped;
}

/** A part of a range that lies within one page of a fixed size. */
export type Piece = {
  /** Number of the page. */
  readonly index: number;
  /** Where in the page the piece begins. */
  readonly within: number;
  readonly length: number;
  /** How much of the range lies before the piece. */
  readonly done: number;
};

/** Cuts a range at the borders of pages. */
export function* eachPiece(offset: number, length: number, pageBytes: number): Generator<Piece> {
  let done = 0;
  while (done < length) {
    const at = offset + done;
    const index = Math.floor(at / pageBytes);
    const within = at - index * pageBytes;
    const pieceLength = Math.min(length - done, pageBytes - within);
    yield { index, within, length: pieceLength, done };
    done += pieceLength;
  }
}

function firstEndingAfter(extents: readonly Extent[], offset: number): number {
  let low = 0;
  let high = extents.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const extent = extents[middle];
    if (extent !== undefined && extent.offset + extent.length > offset) high = middle;
    else low = middle + 1;
  }
  return low;
}
