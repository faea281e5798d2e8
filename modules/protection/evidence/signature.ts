/** Ed25519 (RFC 8032) as the ledger uses it: a key that signs hashes, and its public half as text. */

import { createHash, createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from "node:crypto";
import { assert } from "@mainstay/kit";

/** Signs evidence; the private half stays inside. */
export type EvidenceSigner = {
  /** 32 bytes, base64url. */
  readonly publicKey: string;
  /** 64 bytes. */
  sign(message: Uint8Array): Uint8Array;
};

const PUBLIC_KEY_PATTERN = /^[A-Za-z0-9_-]{43}$/;
const SIGNATURE_PATTERN = /^[A-Za-z0-9_-]{86}$/;

/** A signer with the given private key. */
export function evidenceSigner(privateKey: KeyObject): EvidenceSigner {
  assert(privateKey.asymmetricKeyType === "ed25519", "evidence is signed with Ed25519");
  const { x } = createPublicKey(privateKey).export({ format: "jwk" });
  assert(x !== undefined, "an Ed25519 key has an x");
  return { publicKey: x, sign: (message) => sign(null, message, privateKey) };
}

/** A signer with a key of its own, for tests and for the first start. */
export function newEvidenceKey(): { readonly privateKey: KeyObject; readonly signer: EvidenceSigner } {
  const { privateKey } = generateKeyPairSync("ed25519");
  return { privateKey, signer: evidenceSigner(privateKey) };
}

/** The key that the text stands for, or `undefined` if it stands for none. */
export function parsePublicKey(text: string): KeyObject | undefined {
  if (!PUBLIC_KEY_PATTERN.test(text)) return undefined;
  try {
    return createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: text }, format: "jwk" });
  } catch {
    return undefined;
  }
}

/** Whether `signature` (base64url) is one over `message` by the key. */
export function isSignedBy(publicKey: KeyObject, message: Uint8Array, signature: string): boolean {
  if (!SIGNATURE_PATTERN.test(signature)) return false;
  return verify(null, message, publicKey, Buffer.from(signature, "base64url"));
}

/** What people compare by eye: the first 16 bytes of SHA-256 of the key, in groups of four digits. */
export function fingerprintOf(publicKey: string): string {
  const digest = createHash("sha256").update(Buffer.from(publicKey, "base64url")).digest("hex").slice(0, 32);
  return (digest.match(/.{4}/g) ?? []).join("-");
}
