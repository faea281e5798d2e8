/** The heavy work on chunks and blobs, as plain functions over bytes: the worker threads run them, and so may any thread. */

import { hash } from "node:crypto";
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { SEAL_OVERHEAD_BYTES, sealInto, unseal, type SealingKey } from "../crypto/seal.ts";
import type { RepositoryVersion } from "../format/envelope.ts";
import { ID_BYTES, idOf, type ObjectId } from "../format/object-id.ts";
import { isZero } from "../chunker/zero.ts";

/** A run of bytes in a buffer. */
export type Span = { readonly start: number; readonly length: number };

export type SealedSpan = { readonly length: number; readonly rawLength: number };

/** A blob to open: where it lies in the buffer and what it must be. */
export type SealedBlob = Span & { readonly rawLength: number; readonly id: string };

export type OpenedBlob =
  | { readonly state: "opened"; readonly start: number; readonly length: number }
  | { readonly state: "damaged"; readonly reason: string };

/** A plaintext that shrinks by less than this is stored as it is: reading it back then costs no decompression. */
const SHRINK_BYTES_MIN = 64;

const zeroIds = new Map<number, Buffer>();

/** An output buffer with this much to spare is never full, so the result comes in one piece and is not put together anew. */
const ONE_PIECE_BYTES = 1024;

/** This thread's place for what it seals, so that no call has to have memory cleared that it then overwrites. */
let workspace = new Uint8Array(0);

/** The ids of the spans, 32 bytes each, one after the other. */
export function hashSpans(buffer: Uint8Array, spans: readonly Span[]): Uint8Array {
  const ids = new Uint8Array(spans.length * ID_BYTES);
  for (const [index, span] of spans.entries()) {
    const bytes = buffer.subarray(span.start, span.start + span.length);
    ids.set(isZero(bytes) ? zeroId(span.length) : hash("sha256", bytes, "buffer"), index * ID_BYTES);
  }
  return ids;
}

/** Compresses and seals each span; the results lie one after the other in `bytes`. */
export function sealSpans(
  key: SealingKey,
  version: RepositoryVersion,
  level: number,
  buffer: Uint8Array,
  spans: readonly Span[],
): { readonly bytes: Uint8Array; readonly sealed: readonly SealedSpan[] } {
  const boundBytes = spans.reduce((sum, span) => sum + span.length + SEAL_OVERHEAD_BYTES, 0);
  if (workspace.length < boundBytes) workspace = new Uint8Array(boundBytes);
  const bytes = workspace;
  const sealed: SealedSpan[] = [];
  let end = 0;
  for (const span of spans) {
    const raw = buffer.subarray(span.start, span.start + span.length);
    const compressed = version === 1 ? undefined : compress(raw, level);
    const plain = compressed ?? raw;
    const length = plain.length + SEAL_OVERHEAD_BYTES;
    sealInto(key, plain, bytes.subarray(end, end + length));
    sealed.push({ length, rawLength: compressed === undefined ? 0 : raw.length });
    end += length;
  }
  // A copy of the right length: the workspace is used again, and a pack keeps these bytes until it is stored.
  return { bytes: bytes.slice(0, end), sealed };
}

/** Opens each blob and checks it against its id; plaintexts lie one after the other in `bytes`. Damaged ones take no room. */
export function openBlobs(
  key: SealingKey,
  buffer: Uint8Array,
  blobs: readonly SealedBlob[],
): { readonly bytes: Uint8Array; readonly opened: readonly OpenedBlob[] } {
  const opened: OpenedBlob[] = [];
  const plains: Uint8Array[] = [];
  let end = 0;
  for (const blob of blobs) {
    const plain = openBlob(key, buffer.subarray(blob.start, blob.start + blob.length), blob);
    if (typeof plain === "string") {
      opened.push({ state: "damaged", reason: plain });
      continue;
    }
    opened.push({ state: "opened", start: end, length: plain.length });
    plains.push(plain);
    end += plain.length;
  }
  const bytes = new Uint8Array(end);
  let at = 0;
  for (const plain of plains) {
    bytes.set(plain, at);
    at += plain.length;
  }
  return { bytes, opened };
}

export type PackVerdict = {
  /** SHA-256 of all bytes: must be the pack's name. */
  readonly id: ObjectId;
  /** By number in the list of blobs. */
  readonly damaged: readonly { readonly index: number; readonly reason: string }[];
};

/** Reads a whole pack as a restore would, keeping nothing. */
export function verifyPack(key: SealingKey, buffer: Uint8Array, blobs: readonly SealedBlob[]): PackVerdict {
  const damaged = blobs.flatMap((blob, index) => {
    const plain = openBlob(key, buffer.subarray(blob.start, blob.start + blob.length), blob);
    return typeof plain === "string" ? [{ index, reason: plain }] : [];
  });
  return { id: idOf(buffer), damaged };
}

/** The plaintext of one sealed blob, or why there is none. Never wrong bytes: the id is checked last. */
export function openBlob(
  key: SealingKey,
  sealed: Uint8Array,
  wanted: { readonly rawLength: number; readonly id: string },
): Buffer | string {
  const plain = unseal(key, sealed);
  if (plain === undefined) return "it fails authentication";
  const raw = wanted.rawLength === 0 ? plain : decompress(plain, wanted.rawLength);
  if (typeof raw === "string") return raw;
  return hash("sha256", raw, "hex") === wanted.id ? raw : "its content does not hash to its id";
}

function compress(raw: Uint8Array, level: number): Uint8Array | undefined {
  if (raw.length <= SHRINK_BYTES_MIN) return undefined;
  const compressed = zstdCompressSync(raw, {
    params: { [constants.ZSTD_c_compressionLevel]: level },
    chunkSize: raw.length + ONE_PIECE_BYTES,
  });
  if (compressed.length + SHRINK_BYTES_MIN > raw.length) return undefined;
  // A compressor with a defect must be found now, while the original is still here, not at the restore.
  const again = decompress(compressed, raw.length);
  return typeof again !== "string" && Buffer.compare(again, raw) === 0 ? compressed : undefined;
}

function decompress(compressed: Uint8Array, rawLength: number): Buffer | string {
  try {
    const raw = zstdDecompressSync(compressed, {
      maxOutputLength: rawLength,
      chunkSize: rawLength + ONE_PIECE_BYTES,
    });
    return raw.length === rawLength ? raw : `it decompresses to ${raw.length} bytes, wanted ${rawLength}`;
  } catch (cause) {
    return `it does not decompress: ${String(cause)}`;
  }
}

function zeroId(length: number): Buffer {
  const known = zeroIds.get(length);
  if (known !== undefined) return known;
  const id = hash("sha256", Buffer.alloc(length), "buffer");
  // Chunks of images have one size; files could bring any number of them.
  if (zeroIds.size < 64) zeroIds.set(length, id);
  return id;
}
