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
import { discoverPoints, type RunTimes } from "./discover-points.ts";
import { insertPoint, knownPointIds, notePointFigures } from "./point-store.ts";

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

type RunRow = {
  readonly point_id: string;
  readonly started_at: Date;
  readonly duration_ms: number | null;
  readonly read_bytes: number | null;
  readonly added_bytes: number | null;
};

async function look(parts: ProtectionParts, id: RepositoryId): Promise<number> {
  const { database, keys, clock } = parts.platform;
  const read = await database.asSystem("read repository", async (tx) => {
    const stored = await readRepository(tx, keys.wrapper, id);
    return stored === undefined
      ? undefined
      : { stored, known: await knownPointIds(tx, id), runs: await backupsOf(tx, stored.deviceId) };
  });
  if (read === undefined || read.stored.state !== "ready") return 0;
  const { stored, known, runs } = read;
  const folder = repositoryFolder(vaultFolder(parts), id);
  await using repository = await openLocalRepository(folder, stored.password);
  const points = await discoverPoints(repository, folder, stored, known, (snapshot) =>
    timesOf(runs, snapshot),
  );
  const sizeBytes = await repositorySizeBytes(repository);
  await database.asSystem("note points", async (tx) => {
    await noteRepositorySize(tx, id, sizeBytes);
    for (const point of points) {
      if (!(await insertPoint(tx, point, clock.now()))) continue;
      const run = runs.get(point.id);
      if (run !== undefined) await notePointFigures(tx, point.id, figuresOf(run));
      await announce(parts, tx, "restore-point.changed", {
        customerId: point.customerId,
        deviceId: point.deviceId,
        subjectId: point.id,
      });
    }
  });
  return points.length;
}

type Tx = Parameters<Parameters<ProtectionParts["platform"]["database"]["asSystem"]>[1]>[0];

/** Backups of the device that name the point they made. */
async function backupsOf(tx: Tx, deviceId: string): Promise<ReadonlyMap<string, RunRow>> {
  const rows = await tx.query<RunRow>(
    `select result->>'restorePointId' as point_id, started_at,
       (extract(epoch from finished_at - started_at) * 1000)::bigint as duration_ms,
       (result->>'readBytes')::bigint as read_bytes, (result->>'addedBytes')::bigint as added_bytes
     from protection.run where device_id = $1 and kind = 'backup' and state = 'succeeded'
     order by happened desc limit 200`,
    [deviceId],
  );
  return new Map(rows.map((row) => [row.point_id, row]));
}

function timesOf(runs: ReadonlyMap<string, RunRow>, snapshot: string): RunTimes | undefined {
  const run = runs.get(snapshot);
  return run === undefined ? undefined : { startedAt: run.started_at, durationMs: run.duration_ms ?? 0 };
}

function figuresOf(run: RunRow) {
  return {
    readBytes: run.read_bytes ?? 0,
    addedBytes: run.added_bytes ?? 0,
    durationMs: run.duration_ms ?? 0,
  };
}
