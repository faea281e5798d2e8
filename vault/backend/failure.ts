/** The failures that every backend tells in the same words. */

import type { MainstayError } from "@mainstay/kit";
import { vaultErrors } from "../errors.ts";
import type { ByteRange, FileRef } from "./backend.ts";
import { pathOf } from "./file-ref.ts";

export function fileMissing(location: string, file: FileRef, cause?: unknown): MainstayError {
  const path = pathOf(file);
  return vaultErrors.error(
    "file-missing",
    `Cannot read ${path} of ${location}: found no such file; run "mainstay vault check --repo ${location}"`,
    { cause, values: { location, file: path } },
  );
}

export function fileTruncated(
  location: string,
  file: FileRef,
  range: ByteRange,
  foundBytes?: number,
): MainstayError {
  const path = pathOf(file);
  const found = foundBytes === undefined ? "a shorter file" : `${foundBytes} bytes`;
  return vaultErrors.error(
    "file-truncated",
    `Cannot read ${path} of ${location}: found ${found}, wanted at least ${range.offset + range.length} bytes; ` +
      `run "mainstay vault check --read-data --repo ${location}"`,
    { values: { location, file: path, foundBytes, wantedBytes: range.offset + range.length } },
  );
}

export function fileExists(location: string, file: FileRef): MainstayError {
  const path = pathOf(file);
  return vaultErrors.error(
    "file-exists",
    `Cannot write ${path} of ${location}: found a different file of that name; ` +
      `use the repository that is there, or another place for a new one`,
    { values: { location, file: path } },
  );
}
