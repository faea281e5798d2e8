/** Poly1305 (RFC 8439, section 2.5) at memory speed. */

import { assert } from "@mainstay/kit";
import { hotPath, KEY_AT, PIECE_BYTES_MAX, SCRATCH_AT, TAG_AT } from "../wasm/hot-path.ts";

/**
 * The 16 byte tag of a message under a one-time key: `r16` is clamped here, `s16` is added at the end. The same pair must
 * never sign two messages. Compare tags with `timingSafeEqual` of node:crypto.
 */
export function poly1305(message: Uint8Array, r16: Uint8Array, s16: Uint8Array): Uint8Array<ArrayBuffer> {
  assert(r16.length === 16 && s16.length === 16, "Poly1305 takes two halves of a key of 16 bytes each");
  const { memory, polyStart, polyUpdate, polyFinish } = hotPath();
  memory.set(r16, KEY_AT);
  memory.set(s16, KEY_AT + 16);
  polyStart();
  for (let at = 0; at < message.length; at += PIECE_BYTES_MAX) {
    const piece = message.subarray(at, at + PIECE_BYTES_MAX);
    memory.set(piece, SCRATCH_AT);
    polyUpdate(SCRATCH_AT, piece.length);
  }
  polyFinish();
  const tag = memory.slice(TAG_AT, TAG_AT + 16);
  memory.fill(0, KEY_AT, TAG_AT + 16);
  return tag;
}
