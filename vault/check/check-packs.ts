/** Compares the packs that are there with those that the index names, by their sizes. */

import { shortId, type ObjectId } from "../format/object-id.ts";
import { packHeaderBytes } from "../format/pack-header.ts";
import type { BlobPlace } from "../index/blob-table.ts";
import type { Repository } from "../repository/repository.ts";
import type { Finding } from "./finding.ts";

export type PackSizes = ReadonlyMap<ObjectId, number>;

export function checkPacks(repository: Repository, sizes: PackSizes, say: (finding: Finding) => void): void {
  for (const [pack, blobs] of Map.groupBy(repository.table.entries(), (place) => place.pack)) {
    const finding = findingOf(pack, blobs, sizes.get(pack));
    if (finding !== undefined) say(finding);
  }
  for (const pack of sizes.keys()) {
    if (repository.table.hasPack(pack)) continue;
    const text = `Pack ${shortId(pack)} stands in no index; run "mainstay vault repair-index" to use what it holds`;
    say({ severity: "hint", kind: "pack-unindexed", id: pack, text });
  }
}

function findingOf(
  pack: ObjectId,
  blobs: readonly BlobPlace[],
  sizeBytes: number | undefined,
): Finding | undefined {
  const error = (kind: Finding["kind"], what: string): Finding => ({
    severity: "error",
    kind,
    id: pack,
    text: `Pack ${shortId(pack)} ${what}; fetch it from a replica`,
  });
  if (sizeBytes === undefined) return error("pack-missing", "is not there");
  const wantedBytes = blobs.reduce((sum, blob) => sum + blob.length, packHeaderBytes(blobs));
  if (sizeBytes < wantedBytes)
    return error("pack-truncated", `has ${sizeBytes} bytes, wanted ${wantedBytes}`);
  if (new Set(blobs.map((blob) => blob.type)).size < 2) return undefined;
  const text = `Pack ${shortId(pack)} holds trees and data, as old restic versions wrote them`;
  return { severity: "hint", kind: "pack-mixed", id: pack, text };
}
