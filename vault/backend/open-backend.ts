/** From what a person types after `--repo` to a backend that is ready to use. */

import { vaultErrors } from "../errors.ts";
import type { Backend } from "./backend.ts";
import { createDiskBackend } from "./disk.ts";
import { withPacing } from "./limited.ts";
import { parseRestAddress } from "./rest-address.ts";
import { createRestBackend, type RestOptions } from "./rest.ts";
import { withRetries, type RetryPolicy } from "./retrying.ts";

export type OpenBackendOptions = RestOptions & {
  readonly retries?: RetryPolicy;
};

/** restic's other places; named, so that nobody gets a folder called `s3:…`. */
const FOREIGN_PATTERN = /^(?:sftp|s3|swift|b2|azure|gs|rclone|https?):/i;

/**
 * The backend for `DIR` or `rest:URL`, with retries. Touches neither disk nor network yet.
 * `vault.location-invalid` if the text is neither.
 */
export function openBackend(location: string, options: OpenBackendOptions = {}): Backend {
  return withRetries(openPlainBackend(location, options), options.retries);
}

function openPlainBackend(location: string, options: OpenBackendOptions): Backend {
  if (location.startsWith("rest:")) return createRestBackend(parseRestAddress(location.slice(5)), options);
  if (location.trim() === "") throw invalid(location, "found no place");
  // What looks like another place may hold a password, so it is not repeated.
  const foreign = FOREIGN_PATTERN.exec(location)?.[0];
  if (foreign !== undefined) throw invalid(`${foreign}…`, "found a place that is not supported");
  const folder = location.startsWith("local:") ? location.slice(6) : location;
  const disk = createDiskBackend(folder);
  return options.pacing === undefined ? disk : withPacing(disk, options.pacing);
}

function invalid(shown: string, found: string): Error {
  return vaultErrors.error(
    "location-invalid",
    `Cannot use repository ${JSON.stringify(shown)}: ${found}, wanted a folder or rest:URL; give one with --repo`,
    { values: { location: shown } },
  );
}
