/**
 * Removing what no restore point needs, in two phases. A run takes packs out of the index and marks them as trash; the next
 * run removes trash that is still not needed. Whoever reads a pack at the time of the first keeps reading, and no clock
 * decides when it is safe.
 *
 * The order makes a crash at any write harmless: new packs, trash mark, new indexes, old indexes away, trash away. At every
 * moment some index names each needed blob, and nothing is removed that an index names.
 */

import { vaultErrors } from "../errors.ts";
import type { IndexedPack } from "../format/index-file.ts";
import { trashToJson } from "../format/index-file.ts";
import { closeEnvelope } from "../format/envelope.ts";
import type { ObjectId } from "../format/object-id.ts";
import type { PackedBlob } from "../format/pack-header.ts";
import type { BlobPlace, BlobTable } from "../index/blob-table.ts";
import { loadIndex } from "../index/load-index.ts";
import { writeIndexes } from "../index/write-index.ts";
import { lockRepository } from "../repository/lock.ts";
import type { Repository } from "../repository/repository.ts";
import { surveyPrune, type PrunePlan, type PruneSurvey } from "./prune-plan.ts";
import { isWhole, repackBlobs } from "./repack.ts";

export type PruneOptions = {
  readonly onProgress?: ((doneBytes: number, totalBytes: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
};

export type PruneResult = {
  /** Gone from the place where the repository lies. */
  readonly freedBytes: number;
  readonly sweptPacks: number;
  /** Marked, for the next run to remove. */
  readonly trashedBytes: number;
  readonly trashedPacks: number;
  /** Of new packs. */
  readonly writtenBytes: number;
};

/**
 * Carries out the plan under the exclusive lock, after looking again: were a restore point, an index or a pack added since,
 * nothing is done. May be repeated after any failure, with a new plan.
 *
 * Errors: `vault.plan-outdated`, `vault.prune-refused`, `vault.locked`, `vault.lock-lost`, `vault.damaged-blob`.
 */
export async function executePrune(
  repository: Repository,
  plan: PrunePlan,
  options: PruneOptions = {},
): Promise<PruneResult> {
  await using lock = await lockRepository(repository, "exclusive");
  const survey = await surveyPrune(repository, options.signal);
  if (!isSamePlan(survey.plan, plan)) throw outdated(repository);
  const trash = [...plan.unused, ...plan.repack, ...plan.stray].map(({ id }) => id);
  const isIndexChanged = trash.length + plan.rescued.length + plan.gone.length + plan.sweep.length > 0;
  if (!isIndexChanged) return figuresOf(plan, 0);
  const copied = await copyHomes(survey, options);
  await lock.assertHeld();
  await writeTrashMark(repository, trash);
  await writeIndexes(repository, [...keptPacks(survey), ...copied.packs]);
  await lock.assertHeld();
  for (const name of plan.indexes) await repository.backend.remove({ kind: "index", name });
  for (const { id } of plan.sweep) await repository.backend.remove({ kind: "data", name: id });
  await loadIndex(repository);
  return figuresOf(plan, copied.writtenBytes);
}

/** Needed blobs whose home goes, and those whose home stays but is damaged while a copy that goes is whole. */
async function copyHomes({ plan, view, homes }: PruneSurvey, { onProgress, signal }: PruneOptions) {
  const leaving = new Set([...plan.repack, ...plan.unused].map(({ id }) => id));
  const places: BlobPlace[] = [];
  let number = -1;
  for (const place of view.table.entries()) {
    number += 1;
    if (homes[number] !== 1) continue;
    if (leaving.has(place.pack)) places.push(place);
    else if (losesTwin(view.table, place, leaving) && !(await isWhole(view, place, signal)))
      places.push(place);
  }
  const totalBytes = places.reduce((sum, { length }) => sum + length, 0);
  const report = (doneBytes: number): void => onProgress?.(doneBytes, totalBytes);
  return repackBlobs(view, places, { onProgress: report, signal });
}

function losesTwin(table: BlobTable, { id, type }: BlobPlace, leaving: ReadonlySet<ObjectId>): boolean {
  const places = table.places(id, type);
  return places.length > 1 && places.some(({ pack }) => leaving.has(pack));
}

/** Of packs that stay, every blob, needed or not: the index must say what the pack's own header says. */
function keptPacks({ plan, view }: PruneSurvey): readonly IndexedPack[] {
  const leaving = new Set([...plan.unused, ...plan.repack].map(({ id }) => id));
  for (const id of plan.gone) leaving.add(id);
  const packs = new Map<ObjectId, PackedBlob[]>();
  for (const { pack, ...blob } of view.table.entries()) {
    if (leaving.has(pack)) continue;
    const blobs = packs.get(pack);
    if (blobs === undefined) packs.set(pack, [blob]);
    else blobs.push(blob);
  }
  return [...packs].map(([id, blobs]) => ({ id, blobs }));
}

/** Before the indexes that no longer name them: a backup in between must not take the packs for an interrupted one's. */
async function writeTrashMark(repository: Repository, trash: readonly ObjectId[]): Promise<void> {
  if (trash.length === 0) return;
  const { id, sealed } = closeEnvelope(repository.key, repository.config.version, trashToJson(trash));
  await repository.backend.write({ kind: "index", name: id }, [sealed]);
}

function isSamePlan(one: PrunePlan, other: PrunePlan): boolean {
  const ids = ({ snapshots, indexes, unused, repack, stray, sweep, rescued, gone }: PrunePlan): string => {
    const packs = [unused, repack, stray, sweep].map((list) => list.map(({ id }) => id).toSorted());
    return JSON.stringify([snapshots, indexes.toSorted(), packs, rescued.toSorted(), gone.toSorted()]);
  };
  return ids(one) === ids(other);
}

function figuresOf(plan: PrunePlan, writtenBytes: number): PruneResult {
  return {
    freedBytes: plan.freedBytes,
    sweptPacks: plan.sweep.length,
    trashedBytes: plan.trashedBytes,
    trashedPacks: plan.unused.length + plan.repack.length + plan.stray.length,
    writtenBytes,
  };
}

function outdated(repository: Repository): Error {
  return vaultErrors.error(
    "plan-outdated",
    `Cannot prune ${repository.backend.location} as planned: restore points, indexes or packs were added or removed since; plan again`,
  );
}
