/** What a failure of the file system means for a repository. */

import { MainstayError, messageOf, systemCodeOf } from "@mainstay/kit";
import { vaultErrors } from "../errors.ts";

const FULL = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);
const REFUSED = new Set(["EACCES", "EPERM", "EROFS"]);

/** The typed error for `cause`; what is typed already, and an abort, stays as it is. */
export function diskFailure(cause: unknown, action: string, location: string): Error {
  const code = systemCodeOf(cause);
  if (cause instanceof MainstayError) return cause;
  if (cause instanceof Error && code === undefined) return cause;
  const details = { cause, values: { location, systemCode: code } };
  if (code !== undefined && FULL.has(code)) {
    const message = `Cannot ${action} in ${location}: no room left (${code}); free space there or prune old points`;
    return vaultErrors.error("backend-full", message, details);
  }
  if (code !== undefined && REFUSED.has(code)) {
    const message = `Cannot ${action} in ${location}: permission denied (${code}); run as the user who owns that folder`;
    return vaultErrors.error("backend-refused", message, details);
  }
  const message =
    `Cannot ${action} in ${location}: ${messageOf(cause)}; ` +
    "look whether the disk is mounted and healthy, then try again";
  return vaultErrors.error("backend-unreachable", message, details);
}
