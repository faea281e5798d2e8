/** How config, snapshots, indexes and locks lie in their files: JSON, in version 2 compressed, sealed, named by SHA-256. */

import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { messageOf } from "@mainstay/kit";
import type { FileRef } from "../backend/backend.ts";
import { seal, unseal, type SealingKey } from "../crypto/seal.ts";
import { vaultErrors } from "../errors.ts";
import { idOf, shortId, type ObjectId } from "./object-id.ts";

export type RepositoryVersion = 1 | 2;

/** First byte of a compressed plaintext; JSON begins with `{` or `[`, so the two cannot be mixed up. */
const COMPRESSED_MARK = 2;
const PLAINTEXT_BYTES_MAX = 512 * 1024 * 1024;

export type Envelope = { readonly id: ObjectId; readonly sealed: Uint8Array };

export function closeEnvelope(key: SealingKey, version: RepositoryVersion, value: unknown): Envelope {
  const json = Buffer.from(JSON.stringify(value));
  const sealed = seal(key, version === 1 ? json : compress(json));
  return { id: idOf(sealed), sealed };
}

/**
 * The JSON value in the file's bytes.
 *
 * Errors: `vault.damaged-file` if the bytes do not hash to the file's name, fail authentication, or do not parse.
 */
export function openEnvelope(key: SealingKey, file: FileRef, bytes: Uint8Array): unknown {
  if (file.kind !== "config" && idOf(bytes) !== file.name)
    throw damaged(file, "its bytes do not hash to its name");
  const plaintext = unseal(key, bytes);
  if (plaintext === undefined) throw damaged(file, "it fails authentication");
  try {
    return JSON.parse(decompress(plaintext).toString("utf8"));
  } catch (cause) {
    throw damaged(file, messageOf(cause), cause);
  }
}

export function fileName(file: FileRef): string {
  return file.kind === "config" ? "config" : `${file.kind}/${shortId(file.name)}`;
}

function compress(json: Uint8Array): Buffer {
  const compressed = zstdCompressSync(json, { params: { [constants.ZSTD_c_compressionLevel]: 3 } });
  // A compressor with a defect must be found now, while the original is still here.
  if (!zstdDecompressSync(compressed).equals(json)) return Buffer.from(json);
  return Buffer.concat([Buffer.of(COMPRESSED_MARK), compressed]);
}

function decompress(plaintext: Buffer): Buffer {
  const first = plaintext[0];
  if (first === 0x7b || first === 0x5b) return plaintext;
  if (first !== COMPRESSED_MARK) throw new Error(`unknown encoding ${first}`);
  return zstdDecompressSync(plaintext.subarray(1), { maxOutputLength: PLAINTEXT_BYTES_MAX });
}

function damaged(file: FileRef, why: string, cause?: unknown): Error {
  return vaultErrors.error(
    "damaged-file",
    `Cannot read ${fileName(file)} of the repository: ${why}; fetch the file from a replica, or run "mainstay vault check" to see what it affects`,
    { cause, values: { kind: file.kind, name: file.name } },
  );
}
