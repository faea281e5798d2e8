/** The table at the end of a pack: which blobs it holds. Source: restic design, "Pack Format". */

import { SEAL_OVERHEAD_BYTES, seal, unseal, type SealingKey } from "../crypto/seal.ts";
import { ID_BYTES, idFromBytes, type ObjectId } from "./object-id.ts";

export type BlobType = "data" | "tree";

/** One blob as it lies in a pack. */
export type PackedBlob = {
  readonly id: ObjectId;
  readonly type: BlobType;
  /** Of the sealed bytes, from the start of the pack. */
  readonly offset: number;
  /** Of the sealed bytes. */
  readonly length: number;
  /** Of the plaintext if it was compressed; 0 if it was not. */
  readonly rawLength: number;
};

export const HEADER_LENGTH_BYTES = 4;
const ENTRY_BYTES = 1 + 4 + ID_BYTES;
const COMPRESSED_ENTRY_BYTES = ENTRY_BYTES + 4;

/** Sealed header and its length field, as they end the pack. */
export function encodePackHeader(key: SealingKey, blobs: readonly PackedBlob[]): Uint8Array {
  const plain = Buffer.concat(blobs.map(encodeEntry));
  const sealed = seal(key, plain);
  const length = Buffer.allocUnsafe(HEADER_LENGTH_BYTES);
  length.writeUInt32LE(sealed.length);
  return Buffer.concat([sealed, length]);
}

/** How many bytes the header and its length field take. */
export function packHeaderBytes(blobs: number, compressedBlobs: number): number {
  const entriesBytes = blobs * ENTRY_BYTES + compressedBlobs * (COMPRESSED_ENTRY_BYTES - ENTRY_BYTES);
  return SEAL_OVERHEAD_BYTES + HEADER_LENGTH_BYTES + entriesBytes;
}

/** The blobs of a sealed header (without its length field), or why they cannot be told. */
export function decodePackHeader(key: SealingKey, sealed: Uint8Array): readonly PackedBlob[] | string {
  const plain = unseal(key, sealed);
  if (plain === undefined) return "its header fails authentication";
  const blobs: PackedBlob[] = [];
  let offset = 0;
  for (let at = 0; at < plain.length;) {
    const kind = plain[at];
    if (kind === undefined || kind > 3) return `its header names the unknown blob type ${kind}`;
    const compressed = kind >= 2;
    const entryBytes = compressed ? COMPRESSED_ENTRY_BYTES : ENTRY_BYTES;
    if (at + entryBytes > plain.length) return "its header ends in the middle of an entry";
    const length = plain.readUInt32LE(at + 1);
    const rawLength = compressed ? plain.readUInt32LE(at + 5) : 0;
    const id = idFromBytes(plain, at + entryBytes - ID_BYTES);
    blobs.push({ id, type: kind % 2 === 0 ? "data" : "tree", offset, length, rawLength });
    offset += length;
    at += entryBytes;
  }
  return blobs;
}

function encodeEntry(blob: PackedBlob): Uint8Array {
  const compressed = blob.rawLength !== 0;
  const entry = Buffer.allocUnsafe(compressed ? COMPRESSED_ENTRY_BYTES : ENTRY_BYTES);
  entry[0] = (compressed ? 2 : 0) + (blob.type === "tree" ? 1 : 0);
  entry.writeUInt32LE(blob.length, 1);
  if (compressed) entry.writeUInt32LE(blob.rawLength, 5);
  entry.write(blob.id, entry.length - ID_BYTES, "hex");
  return entry;
}
