/** Telling what is wrong with stored content from a place that merely does not answer now. */

import { vaultErrors } from "../errors.ts";

const DAMAGE = [
  "damaged-file",
  "damaged-pack",
  "damaged-blob",
  "damaged-tree",
  "missing-blob",
  "file-missing",
  "file-truncated",
] as const;

/** Whether asking again cannot help: something that was stored is gone or changed. */
export function isDamage(cause: unknown): boolean {
  return DAMAGE.some((name) => vaultErrors.is(cause, name));
}
