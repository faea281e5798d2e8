/**
 * Opening blobs and writing each to where it belongs, in a worker thread: the plaintext never leaves it, so nothing of it
 * has to be handed over, kept or collected, and the thread may wait for the disk.
 */

import { closeSync, constants, openSync, writeSync } from "node:fs";
import { messageOf, systemCodeOf } from "@mainstay/kit";
import type { SealingKey } from "../crypto/seal.ts";
import { openBlob, type SealedBlob } from "./tasks.ts";

/** A file that is open in this process, by its descriptor; or one by its path, in latin1, which keeps every byte apart. */
export type PlaceFile =
  | { readonly kind: "open"; readonly descriptor: number }
  /** `new`: the blob is all that the file holds, and the file is made with it. */
  | { readonly kind: "new" | "existing"; readonly path: string };

export type Place = { readonly file: PlaceFile; readonly start: number };

export type PlacedBlob = SealedBlob & { readonly places: readonly Place[] };

/** What the operating system refused. */
export type PlaceFailure = { readonly code: string | undefined; readonly message: string };

export type Placement = {
  /** By number in the list; they were not written. */
  readonly damaged: readonly number[];
  /** The first failure; what comes after it was not written. */
  readonly failure: PlaceFailure | undefined;
};

const OPEN_FLAGS = {
  // Never through a link that something else put there.
  new: constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL,
  existing: constants.O_WRONLY | constants.O_NOFOLLOW,
} as const;
const FILE_MODE = 0o600;

export function placeBlobs(key: SealingKey, buffer: Uint8Array, blobs: readonly PlacedBlob[]): Placement {
  const damaged: number[] = [];
  for (const [index, blob] of blobs.entries()) {
    const plain = openBlob(key, buffer.subarray(blob.start, blob.start + blob.length), blob);
    if (typeof plain === "string") {
      damaged.push(index);
      continue;
    }
    try {
      for (const place of blob.places) writePlace(plain, place);
    } catch (cause) {
      return { damaged, failure: { code: systemCodeOf(cause), message: messageOf(cause) } };
    }
  }
  return { damaged, failure: undefined };
}

/** Writes all of it, and waits for it. Throws what the operating system says. */
export function writePlace(plain: Uint8Array, { file, start }: Place): void {
  if (file.kind === "open") return writeFully(file.descriptor, plain, start);
  const descriptor = openSync(Buffer.from(file.path, "latin1"), OPEN_FLAGS[file.kind], FILE_MODE);
  try {
    writeFully(descriptor, plain, start);
  } finally {
    closeSync(descriptor);
  }
}

function writeFully(descriptor: number, bytes: Uint8Array, start: number): void {
  for (let at = 0; at < bytes.length;) {
    at += writeSync(descriptor, bytes, at, bytes.length - at, start + at);
  }
}
