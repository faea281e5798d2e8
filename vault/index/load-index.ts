/** Reading all index files into the table. */

import { eachAtOnce, messageOf } from "@mainstay/kit";
import { vaultErrors } from "../errors.ts";
import { readIndexJson } from "../format/index-file.ts";
import { shortId } from "../format/object-id.ts";
import { readEnvelope, type Repository } from "../repository/repository.ts";

const READS_AT_ONCE_MAX = 8;
/** An index that is gone when it is read was replaced by another: look again. */
const LOOKS_MAX = 3;

/**
 * Makes the repository's table know all that its index files say. May be called again, to learn what others wrote since.
 *
 * Errors: `vault.damaged-file` naming the first index that cannot be read.
 */
export async function loadIndex(repository: Repository, signal?: AbortSignal): Promise<void> {
  const loaded = new Set<string>();
  for (let look = 1; look <= LOOKS_MAX; look += 1) {
    const listed = await Array.fromAsync(repository.backend.list("index", signal));
    const names = listed.map(({ name }) => name).filter((name) => !loaded.has(name));
    let isComplete = true;
    await eachAtOnce(names, READS_AT_ONCE_MAX, async (name) => {
      try {
        await loadIndexFile(repository, name, signal);
        loaded.add(name);
      } catch (cause) {
        if (!vaultErrors.is(cause, "file-missing") || look === LOOKS_MAX) throw cause;
        isComplete = false;
      }
    });
    if (isComplete) return;
  }
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
