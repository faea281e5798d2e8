/**
 * Finding restore points in the repositories themselves: what an agent or a plain restic client stored is a point because
 * its snapshot is there, not because somebody says so.
 */

import { restorePointId } from "@mainstay/contract";
import { listImages, listSnapshots, loadIndex, type Repository, type Snapshot } from "@mainstay/vault";
import { snapshotStoredAt } from "../repositories/local-repository.ts";
import type { StoredRepository } from "../repositories/repository-store.ts";
import type { NewPoint } from "./point-store.ts";

/** Disks of one point that are looked at. */
const DISKS_MAX = 64;

/** Points of the repository that are not `known`, oldest first; each as old as its arrival, until its run says more. */
export async function discoverPoints(
  repository: Repository,
  folder: string,
  stored: StoredRepository,
  known: ReadonlySet<string>,
): Promise<readonly NewPoint[]> {
  const fresh = (await listSnapshots(repository)).filter(({ id }) => !known.has(id));
  if (fresh.length === 0) return [];
  await loadIndex(repository);
  const points: NewPoint[] = [];
  for (const snapshot of fresh) {
    const storedAt = await snapshotStoredAt(folder, snapshot.id);
    // Removed since it was listed.
    if (storedAt === undefined) continue;
    points.push({
      id: restorePointId.parse(snapshot.id),
      customerId: stored.customerId,
      deviceId: stored.deviceId,
      repositoryId: stored.id,
      vaultId: stored.vaultId,
      takenAt: storedAt,
      claimedAt: new Date(snapshot.time),
      ...(await contentOf(repository, snapshot)),
    });
  }
  return points;
}

async function contentOf(
  repository: Repository,
  snapshot: Snapshot,
): Promise<Pick<NewPoint, "kind" | "disks">> {
  const images = (await listImages(repository, snapshot)).slice(0, DISKS_MAX);
  if (images.length === 0) return { kind: "files", disks: [] };
  return {
    kind: "image",
    disks: images.map((image) => ({ name: image.name, sizeBytes: image.layout.sizeBytes })),
  };
}
