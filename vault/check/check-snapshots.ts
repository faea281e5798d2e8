/** Walks every restore point: can each of its directories be read, and is every blob of its files known. */

import { messageOf } from "@mainstay/kit";
import { vaultErrors } from "../errors.ts";
import { shortId, type ObjectId } from "../format/object-id.ts";
import { readTree } from "../repository/blob-reader.ts";
import type { Repository } from "../repository/repository.ts";
import { readSnapshot } from "../repository/snapshots.ts";
import type { Finding } from "./finding.ts";

type Say = (finding: Finding) => void;

/** How many restore points there are. */
export async function checkSnapshots(
  repository: Repository,
  say: Say,
  signal?: AbortSignal,
): Promise<number> {
  const seen: Seen = { trees: new Set(), missing: new Set() };
  let count = 0;
  for await (const { name } of repository.backend.list("snapshots", signal)) {
    count += 1;
    try {
      const { tree } = await readSnapshot(repository, name, signal);
      await checkTrees(repository, tree, name, seen, say, signal);
    } catch (cause) {
      signal?.throwIfAborted();
      const text = `Restore point ${shortId(name)} cannot be read: ${messageOf(cause)}`;
      say({ severity: "error", kind: "snapshot-damaged", id: name, text, points: [name] });
    }
  }
  return count;
}

/** What was looked at for an earlier restore point is not looked at again. */
type Seen = { readonly trees: Set<ObjectId>; readonly missing: Set<ObjectId> };

async function checkTrees(
  repository: Repository,
  root: ObjectId,
  point: string,
  seen: Seen,
  say: Say,
  signal?: AbortSignal,
): Promise<void> {
  const waiting = [root];
  for (let tree = waiting.pop(); tree !== undefined; tree = waiting.pop()) {
    if (seen.trees.has(tree)) continue;
    seen.trees.add(tree);
    const nodes = await readTree(repository, tree, signal).catch((cause: unknown) => {
      signal?.throwIfAborted();
      const kind = vaultErrors.is(cause, "missing-blob") ? "blob-missing" : "tree-damaged";
      const text = `A directory of restore point ${shortId(point)} is lost: ${messageOf(cause)}`;
      say({ severity: "error", kind, id: tree ?? root, text, points: [point] });
      return [];
    });
    for (const node of nodes) {
      if (node.subtree !== undefined) waiting.push(node.subtree);
      for (const id of node.content ?? []) {
        if (seen.missing.has(id) || repository.table.has(id, "data")) continue;
        seen.missing.add(id);
        const text = `File "${node.name.toString("utf8")}" of restore point ${shortId(point)} lacks blob ${shortId(id)}: no index names it`;
        say({ severity: "error", kind: "blob-missing", id, text, points: [point] });
      }
    }
  }
}
