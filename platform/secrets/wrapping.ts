/** Secrets at rest: AES-256-GCM under the master key, bound to the place they belong to. */

import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { secretErrors } from "./errors.ts";

/** First byte of what is written, so that another form can follow. */
const FORM = 1;
const NONCE_SIZE_BYTES = 12;
const TAG_SIZE_BYTES = 16;

export type Wrapper = {
  /** `context` says what it is and whose, such as `repository-password ID`; unwrapping wants the same. */
  wrap(secret: string, context: string): Buffer;
  /** Throws `secrets.unwrap-failed`. */
  unwrap(wrapped: Uint8Array, context: string): string;
};

/** Form byte, nonce, ciphertext, tag. The context is authenticated: a wrapped secret moved to another row does not open. */
export function wrapperOf(masterKey: Uint8Array): Wrapper {
  return {
    wrap: (secret, context) => {
      const nonce = randomBytes(NONCE_SIZE_BYTES);
      const cipher = createCipheriv("aes-256-gcm", masterKey, nonce);
      cipher.setAAD(Buffer.from(context));
      const sealed = Buffer.concat([cipher.update(secret, "utf8"), cipher.final()]);
      return Buffer.concat([Buffer.of(FORM), nonce, sealed, cipher.getAuthTag()]);
    },
    unwrap: (wrapped, context) => {
      try {
        return open(masterKey, Buffer.from(wrapped), context);
      } catch (cause) {
        throw secretErrors.error(
          "unwrap-failed",
          `Cannot open the stored ${context.split(" ")[0] ?? "secret"}: the master key is another one or the bytes are damaged; put keys/master.key back from its backup`,
          { cause },
        );
      }
    },
  };
}

function open(masterKey: Uint8Array, wrapped: Buffer, context: string): string {
  if (wrapped[0] !== FORM || wrapped.length < 1 + NONCE_SIZE_BYTES + TAG_SIZE_BYTES)
    throw new RangeError("unknown form");
  const decipher = createDecipheriv("aes-256-gcm", masterKey, wrapped.subarray(1, 1 + NONCE_SIZE_BYTES));
  decipher.setAAD(Buffer.from(context));
  decipher.setAuthTag(wrapped.subarray(-TAG_SIZE_BYTES));
  const sealed = wrapped.subarray(1 + NONCE_SIZE_BYTES, -TAG_SIZE_BYTES);
  return Buffer.concat([decipher.update(sealed), decipher.final()]).toString("utf8");
}
