/** Names of things in a repository: the SHA-256 of their content. */

import { hash } from "node:crypto";
import type { Branded } from "@mainstay/kit";

/** 64 lower-case hexadecimal digits. */
export type ObjectId = Branded<string, "ObjectId">;

export const ID_BYTES = 32;

const ID_PATTERN = /^[0-9a-f]{64}$/;

export function isObjectId(text: string): text is ObjectId {
  return ID_PATTERN.test(text);
}

export function idOf(content: Uint8Array): ObjectId {
  // A SHA-256 in hexadecimal is an id by definition.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return hash("sha256", content, "hex") as ObjectId;
}

export function idFromBytes(bytes: Uint8Array, offset = 0): ObjectId {
  // Thirty-two bytes in hexadecimal are an id by definition.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return Buffer.from(bytes.buffer, bytes.byteOffset + offset, ID_BYTES).toString("hex") as ObjectId;
}

/** How many digits an id is shown with. */
export function shortId(id: string): string {
  return id.slice(0, 8);
}
