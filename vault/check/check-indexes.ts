/** Reads every index into the table, telling of those that cannot be read. */

import { messageOf } from "@mainstay/kit";
import { readIndexJson, readTrashJson } from "../format/index-file.ts";
import { shortId, type ObjectId } from "../format/object-id.ts";
import { readEnvelope, type Repository } from "../repository/repository.ts";
import type { Finding } from "./finding.ts";

export async function checkIndexes(
  repository: Repository,
  say: (finding: Finding) => void,
  signal?: AbortSignal,
): Promise<void> {
  const indexesOf = new Map<ObjectId, Set<string>>();
  for await (const { name } of repository.backend.list("index", signal)) {
    try {
      const json = await readEnvelope(repository, { kind: "index", name }, signal);
      for (const pack of readTrashJson(json)) repository.table.trash.add(pack);
      readIndexJson(json, (pack, blob) => {
        repository.table.add(pack, blob);
        const indexes = indexesOf.get(pack);
        if (indexes === undefined) indexesOf.set(pack, new Set([name]));
        else indexes.add(name);
      });
    } catch (cause) {
      signal?.throwIfAborted();
      const text = `Index ${shortId(name)} cannot be read: ${messageOf(cause)}`;
      say({ severity: "error", kind: "index-damaged", id: name, text });
    }
  }
  for (const [pack, indexes] of indexesOf) {
    if (indexes.size < 2) continue;
    const text = `Pack ${shortId(pack)} stands in ${indexes.size} indexes`;
    say({ severity: "hint", kind: "pack-indexed-twice", id: pack, text });
  }
}
