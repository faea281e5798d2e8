/** A repository in memory, for tests and for trying things out. Keeps nothing when the process ends. */

import type { Backend, FileRef } from "./backend.ts";
import { fileExists, fileMissing, fileTruncated } from "./failure.ts";
import { holds, pathOf } from "./file-ref.ts";

export function createMemoryBackend(location = "memory"): Backend {
  const files = new Map<string, { readonly file: FileRef; readonly bytes: Uint8Array }>();
  return {
    location,
    create: async () => {},
    stat: async (file) => files.get(pathOf(file))?.bytes.length,
    list: async function* (kind, signal) {
      for (const { file, bytes } of files.values()) {
        signal?.throwIfAborted();
        if (file.kind === kind) yield { name: file.name, sizeBytes: bytes.length };
      }
    },
    read: async (file, range, signal) => {
      signal?.throwIfAborted();
      const bytes = files.get(pathOf(file))?.bytes;
      if (bytes === undefined) throw fileMissing(location, file);
      if (range === undefined) return bytes.slice();
      const end = range.offset + range.length;
      if (end > bytes.length) throw fileTruncated(location, file, range, bytes.length);
      return bytes.slice(range.offset, end);
    },
    write: async (file, parts, signal) => {
      signal?.throwIfAborted();
      const stored = files.get(pathOf(file))?.bytes;
      if (stored !== undefined && !holds(stored, parts)) throw fileExists(location, file);
      // A copy, and never a Buffer: `slice` of a Buffer would share its memory with the reader.
      files.set(pathOf(file), { file, bytes: new Uint8Array(Buffer.concat(parts)) });
    },
    remove: async (file) => {
      files.delete(pathOf(file));
    },
    close: async () => {},
  };
}
