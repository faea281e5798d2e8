/** Reading all index files into the table. */

import { limiter, messageOf } from "@mainstay/kit";
import { vaultErrors } from "../errors.ts";
import { readIndexJson } from "../format/index-file.ts";
import { shortId } from "../format/object-id.ts";
import { readEnvelope, type Repository } from "../repository/repository.ts";

const READS_AT_ONCE_MAX = 8;

/**
 * Makes the repository's table know all that its index files say. May be called again, to learn what others wrote since.
 *
 * Errors: `vault.damaged-file` naming the first index that cannot be read.
 */
export async function loadIndex(repository: Repository, signal?: AbortSignal): Promise<void> {
  const reads = limiter(READS_AT_ONCE_MAX);
  const loading: Promise<void>[] = [];
  for await (const { name } of repository.backend.list("index", signal)) {
    loading.push(reads.run(() => loadIndexFile(repository, name, signal)));
  }
  const failed = (await Promise.allSettled(loading)).find((result) => result.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}

/** Adds one index file to the table. Errors: `vault.damaged-file`. */
export async function loadIndexFile(
  repository: Repository,
  name: string,
  signal?: AbortSignal,
): Promise<void> {
  const json = await readEnvelope(repository, { kind: "index", name }, signal);
  try {
    readIndexJson(json, (pack, blob) => repository.table.add(pack, blob));
  } catch (cause) {
    throw vaultErrors.error(
      "damaged-file",
      `Cannot read index/${shortId(name)}: ${messageOf(cause)}; run "mainstay vault repair-index" to make the index anew from the packs`,
      { cause, values: { kind: "index", name } },
    );
  }
}
