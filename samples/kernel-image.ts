/**
 * The kernel as QEMU starts it quickest: taken out of its compressed wrapping, which an emulated processor takes four
 * seconds to undo and this machine a fraction of one.
 *
 * Source: the kernel's `Documentation/x86/boot.rst` for the header; the unwrapped kernel is entered through its PVH note.
 */

import { assert } from "@mainstay/kit";
import { run } from "./program.ts";

const SETUP_SECTORS_OFFSET = 0x1f1;
const HEADER_MAGIC_OFFSET = 0x202;
const HEADER_MAGIC = "HdrS";
const PAYLOAD_OFFSET_OFFSET = 0x248;
const PAYLOAD_LENGTH_OFFSET = 0x24c;

/** Behind the compressed kernel stands its unpacked length, which is not part of the stream. */
const LENGTH_SUFFIX_BYTES = 4;

/** The `vmlinux` inside a `vmlinuz` that is compressed with xz, as Debian's full kernel is. */
export async function unwrappedKernel(wrapped: Buffer, signal?: AbortSignal): Promise<Buffer> {
  const stream = compressedKernel(wrapped);
  return run("unpack the sample's kernel", ["xz", "--decompress", "--stdout", "--single-stream"], {
    input: stream,
    signal,
  });
}

/** The compressed stream inside a `vmlinuz`. */
export function compressedKernel(wrapped: Buffer): Buffer {
  const magic = wrapped.toString("latin1", HEADER_MAGIC_OFFSET, HEADER_MAGIC_OFFSET + HEADER_MAGIC.length);
  assert(magic === HEADER_MAGIC, "Debian's kernel begins with Linux's boot header");
  const setupSectors = wrapped.readUInt8(SETUP_SECTORS_OFFSET) || 4;
  const start = (setupSectors + 1) * 512 + wrapped.readUInt32LE(PAYLOAD_OFFSET_OFFSET);
  const length = wrapped.readUInt32LE(PAYLOAD_LENGTH_OFFSET);
  assert(start + length <= wrapped.length, "the compressed kernel lies within its file");
  return wrapped.subarray(start, start + length - LENGTH_SUFFIX_BYTES);
}
