/** Makes the database know the restore points that a repository holds. */

import type { RepositoryId } from "@mainstay/contract";
import type { ProtectionParts } from "../parts.ts";
import { vaultFolder } from "../parts.ts";
import { announce } from "../announce.ts";
import {
  openLocalRepository,
  repositoryFolder,
  repositorySizeBytes,
} from "../repositories/local-repository.ts";
import { noteRepositorySize, readRepository } from "../repositories/repository-store.ts";
import { discoverPoints } from "./discover-points.ts";
import { adoptRuns, insertPoint, knownPointIds } from "./point-store.ts";

/** One look at a repository at a time; who asks meanwhile gets the next look, which sees what they saw. */
const looking = new Map<string, { readonly now: Promise<number>; next: Promise<number> | undefined }>();

/** Resolves with how many points were new. */
export function syncPoints(parts: ProtectionParts, id: RepositoryId): Promise<number> {
  const current = looking.get(id);
  if (current !== undefined) {
    current.next ??= current.now.catch(() => 0).then(() => begin(parts, id));
    return current.next;
  }
  return begin(parts, id);
}

function begin(parts: ProtectionParts, id: RepositoryId): Promise<number> {
  const now = look(parts, id).finally(() => {
    if (looking.get(id)?.now === now) looking.delete(id);
  });
  looking.set(id, { now, next: undefined });
  return now;
}

async function look(parts: ProtectionParts, id: RepositoryId): Promise<number> {
  const { database, keys, clock } = parts.platform;
  const read = await database.asSystem("read repository", async (tx) => {
    const stored = await readRepository(tx, keys.wrapper, id);
    return stored === undefined ? undefined : { stored, known: await knownPointIds(tx, id) };
  });
  if (read === undefined || read.stored.state !== "ready") return 0;
  const { stored, known } = read;
  const folder = repositoryFolder(vaultFolder(parts), id);
  await using repository = await openLocalRepository(folder, stored.password);
  const points = await discoverPoints(repository, folder, stored, known);
  const sizeBytes = await repositorySizeBytes(repository);
  await database.asSystem("note points", async (tx) => {
    await noteRepositorySize(tx, id, sizeBytes);
    for (const point of points) {
      if (!(await insertPoint(tx, point, clock.now()))) continue;
      await announce(parts, tx, "restore-point.changed", {
        customerId: point.customerId,
        deviceId: point.deviceId,
        subjectId: point.id,
      });
    }
    await adoptRuns(tx, stored.deviceId);
  });
  return points.length;
}
