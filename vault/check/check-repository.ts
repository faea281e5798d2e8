/** Checking a repository: is everything there that its restore points need, and, if asked, is every byte what it should be. */

import type { ObjectId } from "../format/object-id.ts";
import type { Repository } from "../repository/repository.ts";
import { checkIndexes } from "./check-indexes.ts";
import { checkKeys } from "./check-keys.ts";
import { checkPacks, summarizePacks, type PackSizes } from "./check-packs.ts";
import { checkSnapshots } from "./check-snapshots.ts";
import type { Finding } from "./finding.ts";
import { readAllPacks } from "./read-packs.ts";

export type CheckOptions = {
  /** Reads every pack and opens every blob. */
  readonly readData?: boolean | undefined;
  readonly onProgress?: ((progress: CheckProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
};

export type CheckProgress = {
  readonly phase: "indexes" | "packs" | "restore points" | "reading data";
  readonly doneBytes: number;
  readonly totalBytes: number;
};

export type CheckReport = {
  readonly findings: readonly Finding[];
  readonly errors: number;
  readonly restorePoints: number;
  readonly packs: number;
  readonly blobs: number;
  /** Bytes of packs read; 0 without `readData`. */
  readonly readBytes: number;
};

/** Never throws for damage, which is what it looks for; throws if the backend does not list its files. */
export async function checkRepository(
  repository: Repository,
  options: CheckOptions = {},
): Promise<CheckReport> {
  const { signal, onProgress = () => undefined } = options;
  const findings: Finding[] = [];
  const say = (finding: Finding): void => void findings.push(finding);
  const phase = (name: CheckProgress["phase"]): void =>
    onProgress({ phase: name, doneBytes: 0, totalBytes: 0 });

  phase("indexes");
  await checkKeys(repository, say, signal);
  await checkIndexes(repository, say, signal);
  phase("packs");
  const sizes = await listPacks(repository, signal);
  const summaries = summarizePacks(repository.table);
  checkPacks(repository, summaries, sizes, say);
  phase("restore points");
  const restorePoints = await checkSnapshots(repository, say, signal);
  const readBytes = options.readData
    ? await readAllPacks(repository, { sizes, summaries }, { say, onProgress, signal })
    : 0;
  return {
    findings,
    errors: findings.filter((finding) => finding.severity === "error").length,
    restorePoints,
    packs: sizes.size,
    blobs: repository.table.size,
    readBytes,
  };
}

async function listPacks(repository: Repository, signal?: AbortSignal): Promise<PackSizes> {
  const sizes = new Map<ObjectId, number>();
  for await (const { name, sizeBytes } of repository.backend.list("data", signal)) {
    // Backends list only names of the right form.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    sizes.set(name as ObjectId, sizeBytes);
  }
  return sizes;
}
