/** One pack in the making: sealed blobs one after the other, then the header. */

import { createHash } from "node:crypto";
import { assert } from "@mainstay/kit";
import type { SealingKey } from "../crypto/seal.ts";
import type { ObjectId } from "../format/object-id.ts";
import { encodePackHeader, type BlobType, type PackedBlob } from "../format/pack-header.ts";

/** A pack is closed once it has this many bytes: restic's default. */
export const PACK_BYTES_WANTED = 16 * 1024 * 1024;

/** A header must stay small enough for readers that fetch it whole; restic's own bound. */
const PACK_BLOBS_MAX = 100_000;

export type FinishedPack = {
  readonly id: ObjectId;
  readonly parts: readonly Uint8Array[];
  readonly blobs: readonly PackedBlob[];
  readonly sizeBytes: number;
};

export class PackBuilder {
  readonly #key: SealingKey;
  readonly #parts: Uint8Array[] = [];
  readonly #blobs: PackedBlob[] = [];
  readonly #hash = createHash("sha256");
  #sizeBytes = 0;

  constructor(key: SealingKey) {
    this.#key = key;
  }

  get isEmpty(): boolean {
    return this.#blobs.length === 0;
  }

  get isFull(): boolean {
    return this.#sizeBytes >= PACK_BYTES_WANTED || this.#blobs.length >= PACK_BLOBS_MAX;
  }

  /** Takes a sealed blob; `sealed` must not change until the pack is written. */
  add(id: ObjectId, type: BlobType, sealed: Uint8Array, rawLength: number): void {
    this.#blobs.push({ id, type, offset: this.#sizeBytes, length: sealed.length, rawLength });
    this.#append(sealed);
  }

  /** Adds the header. Nothing can be added afterwards. */
  finish(): FinishedPack {
    assert(!this.isEmpty, "a pack holds at least one blob");
    this.#append(encodePackHeader(this.#key, this.#blobs));
    // A SHA-256 in hexadecimal is an id by definition.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    const id = this.#hash.digest("hex") as ObjectId;
    return { id, parts: this.#parts, blobs: this.#blobs, sizeBytes: this.#sizeBytes };
  }

  #append(bytes: Uint8Array): void {
    this.#parts.push(bytes);
    this.#hash.update(bytes);
    this.#sizeBytes += bytes.length;
  }
}
