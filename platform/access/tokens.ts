/** Secrets that are handed out once and stored as hashes only. */

import { createHash, randomBytes } from "node:crypto";

const TOKEN_SIZE_BYTES = 32;

/** 256 random bits in base64url. */
export function newToken(): string {
  return randomBytes(TOKEN_SIZE_BYTES).toString("base64url");
}

/** SHA-256: a token is random and long, so that a slow hash would add nothing. */
export function hashToken(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}
