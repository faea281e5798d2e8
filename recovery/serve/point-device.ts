/** A disk of a restore point as a block device: read lazily out of the repository, never written. */

import { appendExtent, type BlockDevice, type Extent } from "@mainstay/nbd";
import type { ContentReader } from "@mainstay/vault";
import type { BootTrace } from "./boot-trace.ts";
import { serveErrors } from "./errors.ts";

/** Extents are told for at most this much at once: beyond it the reader asks again. */
const EXTENTS_BYTES_MAX = 4 * 1024 * 1024 * 1024;

export type PointDevice = BlockDevice & {
  /** Resolves when the first byte was asked for; how the timeline knows that a machine began to boot. */
  readonly firstRead: Promise<void>;
};

export function createPointDevice(reader: ContentReader, trace: BootTrace): PointDevice {
  const firstRead = Promise.withResolvers<void>();
  return {
    sizeBytes: reader.sizeBytes,
    writable: false,
    firstRead: firstRead.promise,
    read: (offset, length, signal) => {
      firstRead.resolve();
      trace.note(offset, length);
      return reader.read(offset, length, signal);
    },
    extents: async (offset, length) => {
      const extents: Extent[] = [];
      const known = Math.min(length, EXTENTS_BYTES_MAX);
      for (const piece of await reader.map.pieces(offset, known)) {
        const start = Math.max(offset, piece.start);
        const end = Math.min(offset + known, piece.start + piece.length);
        appendExtent(extents, { offset: start, length: end - start, kind: piece.isZero ? "zero" : "data" });
      }
      if (known < length)
        appendExtent(extents, { offset: offset + known, length: length - known, kind: "data" });
      return extents;
    },
    write: () => Promise.reject(readOnly()),
    writeZeroes: () => Promise.reject(readOnly()),
    flush: async () => undefined,
    close: async () => undefined,
  };
}

function readOnly(): Error {
  return serveErrors.error(
    "point-read-only",
    "Cannot write to a restore point: it never changes; serve it with an overlay, which takes the writes",
  );
}
