/** Reading all index files into the table. */

import { eachAtOnce, messageOf } from "@mainstay/kit";
import { vaultErrors } from "../errors.ts";
import { readIndexJson, readTrashJson } from "../format/index-file.ts";
import { shortId, type ObjectId } from "../format/object-id.ts";
import { readEnvelope, type Repository } from "../repository/repository.ts";

const READS_AT_ONCE_MAX = 8;
/** An index that is gone when it is read was replaced by another: look again. */
const LOOKS_MAX = 3;

/**
 * Makes the repository's table know what its index files say, and no more. May be called again, to learn what others wrote or
 * took away since.
 *
 * Errors: `vault.damaged-file` naming the first index that cannot be read.
 */
export async function loadIndex(repository: Repository, signal?: AbortSignal): Promise<void> {
  const { table } = repository;
  const before = new Set(table.packs);
  const loaded = new Set<string>();
  const trash = new Set<ObjectId>();
  for (let look = 1; look <= LOOKS_MAX; look += 1) {
    const listed = await Array.fromAsync(repository.backend.list("index", signal));
    const names = listed.map(({ name }) => name).filter((name) => !loaded.has(name));
    let isComplete = true;
    await eachAtOnce(names, READS_AT_ONCE_MAX, async (name) => {
      try {
        const said = await loadIndexFile(repository, name, signal);
        for (const pack of said.packs) before.delete(pack);
        for (const pack of said.trash) trash.add(pack);
        loaded.add(name);
      } catch (cause) {
        if (!vaultErrors.is(cause, "file-missing") || look === LOOKS_MAX) throw cause;
        isComplete = false;
      }
    });
    if (isComplete) break;
  }
  // Pruned since the last time: a backup that went on relying on them would lose what it believes to be stored.
  if (before.size > 0) table.forgetPacks(before);
  table.trash.clear();
  for (const pack of trash) table.trash.add(pack);
}

type IndexSummary = { readonly packs: ReadonlySet<ObjectId>; readonly trash: readonly ObjectId[] };

/** Adds one index file to the table. Errors: `vault.damaged-file`. */
export async function loadIndexFile(
  repository: Repository,
  name: string,
  signal?: AbortSignal,
): Promise<IndexSummary> {
  const json = await readEnvelope(repository, { kind: "index", name }, signal);
  const packs = new Set<ObjectId>();
  try {
    readIndexJson(json, (pack, blob) => {
      packs.add(pack);
      repository.table.add(pack, blob);
    });
    return { packs, trash: readTrashJson(json) };
  } catch (cause) {
    throw vaultErrors.error(
      "damaged-file",
      `Cannot read index/${shortId(name)}: ${messageOf(cause)}; run "mainstay vault repair-index" to make the index anew from the packs`,
      { cause, values: { kind: "index", name } },
    );
  }
}
