/** Compares the packs that are there with those that the index names, by their sizes. */

import { shortId, type ObjectId } from "../format/object-id.ts";
import { packHeaderBytes } from "../format/pack-header.ts";
import type { BlobTable } from "../index/blob-table.ts";
import type { Repository } from "../repository/repository.ts";
import type { Finding } from "./finding.ts";

export type PackSizes = ReadonlyMap<ObjectId, number>;

/** What the index says of a pack, without keeping its blobs: there are millions. */
export type PackSummary = { blobs: number; compressedBlobs: number; bytes: number; trees: number };

export type PackSummaries = ReadonlyMap<ObjectId, Readonly<PackSummary>>;

export function summarizePacks(table: BlobTable): PackSummaries {
  const summaries = new Map<ObjectId, PackSummary>();
  for (const { pack, length, rawLength, type } of table.entries()) {
    let summary = summaries.get(pack);
    if (summary === undefined) {
      summary = { blobs: 0, compressedBlobs: 0, bytes: 0, trees: 0 };
      summaries.set(pack, summary);
    }
    summary.blobs += 1;
    summary.bytes += length;
    if (rawLength !== 0) summary.compressedBlobs += 1;
    if (type === "tree") summary.trees += 1;
  }
  return summaries;
}

export function checkPacks(
  repository: Repository,
  summaries: PackSummaries,
  sizes: PackSizes,
  say: (finding: Finding) => void,
): void {
  for (const [pack, summary] of summaries) {
    const finding = findingOf(pack, summary, sizes.get(pack));
    if (finding !== undefined) say(finding);
  }
  for (const pack of sizes.keys()) {
    if (repository.table.hasPack(pack) || repository.table.trash.has(pack)) continue;
    const text = `Pack ${shortId(pack)} stands in no index; run "mainstay vault repair-index" to use what it holds`;
    say({ severity: "hint", kind: "pack-unindexed", id: pack, text });
  }
}

function findingOf(
  pack: ObjectId,
  summary: Readonly<PackSummary>,
  sizeBytes: number | undefined,
): Finding | undefined {
  const error = (kind: Finding["kind"], what: string): Finding => ({
    severity: "error",
    kind,
    id: pack,
    text: `Pack ${shortId(pack)} ${what}; fetch it from a replica`,
  });
  if (sizeBytes === undefined) return error("pack-missing", "is not there");
  const wantedBytes = summary.bytes + packHeaderBytes(summary.blobs, summary.compressedBlobs);
  if (sizeBytes < wantedBytes)
    return error("pack-truncated", `has ${sizeBytes} bytes, wanted ${wantedBytes}`);
  if (summary.trees === 0 || summary.trees === summary.blobs) return undefined;
  const text = `Pack ${shortId(pack)} holds trees and data, as old restic versions wrote them`;
  return { severity: "hint", kind: "pack-mixed", id: pack, text };
}
