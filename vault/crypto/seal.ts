/** Authenticated encryption as restic does it: AES-256-CTR, then Poly1305-AES over the ciphertext (restic design, "Keys, Encryption and MAC"). */

import { createCipheriv, createDecipheriv, randomFillSync, timingSafeEqual } from "node:crypto";
import { poly1305 } from "./poly1305.ts";

/** The three secrets of a repository (or, while a key file is opened, those derived from a password). */
export type SealingKey = {
  /** AES-256, 32 bytes. */
  readonly encrypt: Uint8Array;
  /** AES-128 key `k` of Poly1305-AES, 16 bytes. */
  readonly macK: Uint8Array;
  /** Poly1305 point `r`, 16 bytes; masked when used. */
  readonly macR: Uint8Array;
};

const IV_BYTES = 16;
const MAC_BYTES = 16;

/** What sealing adds to a plaintext. */
export const SEAL_OVERHEAD_BYTES = IV_BYTES + MAC_BYTES;

/** `iv ‖ ciphertext ‖ mac`, written into `target`, which has exactly `plaintext.length + SEAL_OVERHEAD_BYTES` bytes. */
export function sealInto(key: SealingKey, plaintext: Uint8Array, target: Uint8Array): void {
  const iv = target.subarray(0, IV_BYTES);
  randomFillSync(iv);
  const ciphertext = createCipheriv("aes-256-ctr", key.encrypt, iv).update(plaintext);
  target.set(ciphertext, IV_BYTES);
  target.set(macOf(key, iv, ciphertext), IV_BYTES + ciphertext.length);
}

/** Like {@link sealInto}, into a new array. */
export function seal(key: SealingKey, plaintext: Uint8Array): Uint8Array {
  const sealed = Buffer.allocUnsafe(plaintext.length + SEAL_OVERHEAD_BYTES);
  sealInto(key, plaintext, sealed);
  return sealed;
}

/** The plaintext, or `undefined` if `sealed` is too short or was not made with this key or was changed since. */
export function unseal(key: SealingKey, sealed: Uint8Array): Buffer | undefined {
  if (sealed.length < SEAL_OVERHEAD_BYTES) return undefined;
  const iv = sealed.subarray(0, IV_BYTES);
  const ciphertext = sealed.subarray(IV_BYTES, sealed.length - MAC_BYTES);
  const mac = sealed.subarray(sealed.length - MAC_BYTES);
  if (!timingSafeEqual(mac, macOf(key, iv, ciphertext))) return undefined;
  return createDecipheriv("aes-256-ctr", key.encrypt, iv).update(ciphertext);
}

function macOf(key: SealingKey, iv: Uint8Array, ciphertext: Uint8Array): Uint8Array {
  // The IV is the Poly1305-AES nonce; s = AES-128_k(nonce), a single block, so ECB without padding is that block.
  const cipher = createCipheriv("aes-128-ecb", key.macK, null);
  cipher.setAutoPadding(false);
  return poly1305(ciphertext, key.macR, cipher.update(iv));
}
