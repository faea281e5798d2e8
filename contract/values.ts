/** The small values that many routes share: instants, byte counts, names, pages. */

import { z } from "zod";

export const NAME_LENGTH_MAX = 120;
export const PAGE_SIZE_MAX = 200;
export const PAGE_SIZE_DEFAULT = 50;

/** An instant, UTC, RFC 3339: `2026-01-31T12:00:00.000Z`. */
export const instant = z.iso.datetime();
export const sizeBytes = z.number().int().nonnegative();
export const durationMs = z.number().nonnegative();
export const count = z.number().int().nonnegative();
export const port = z.number().int().min(1).max(65_535);
export const sha256 = z.string().regex(/^[0-9a-f]{64}$/, "wanted 64 hexadecimal digits");
/** 32 bytes, base64url without padding: an Ed25519 public key, a nonce, a secret. */
export const key32 = z.string().regex(/^[A-Za-z0-9_-]{43}$/, "wanted 32 bytes in base64url");
/** 64 bytes, base64url without padding: an Ed25519 signature. */
export const signature64 = z.string().regex(/^[A-Za-z0-9_-]{86}$/, "wanted 64 bytes in base64url");

export const displayName = z.string().trim().min(1, "wanted a name").max(NAME_LENGTH_MAX);

/** An IANA time zone that this runtime knows, such as `Europe/Berlin`. */
export const timeZone = z
  .string()
  .max(64)
  .refine(isTimeZone, { message: "wanted an IANA time zone such as Europe/Berlin" });

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions().timeZone !== "";
  } catch {
    return false;
  }
}

/** Query of every list: hand back `next` of the page before as `cursor`. */
export const pageQuery = {
  cursor: z.string().max(200).optional(),
  limit: z.coerce.number().int().min(1).max(PAGE_SIZE_MAX).optional(),
};

/** One page of a list; `next` is the cursor of the following page, or null at the end. */
export function pageOf<Item extends z.ZodType>(item: Item) {
  return z.object({ items: z.array(item), next: z.string().nullable() });
}

/** What a failed request answers. `code` is one of `errorCodes` or a code of the module that failed. */
export const errorBody = z.object({
  error: z.object({
    code: z.string(),
    message: z.string(),
    values: z.record(z.string(), z.unknown()),
  }),
});
export type ErrorBody = z.output<typeof errorBody>;
