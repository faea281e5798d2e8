/** Retention of one device: decided by its plan, marked in the database, then taken out of the repository. */

import type { RestorePoint, RunResult } from "@mainstay/contract";
import { executePrune, planPrune, vaultErrors, type Repository } from "@mainstay/vault";
import { protectionErrors } from "../errors.ts";
import { type ProtectionParts, vaultFolder } from "../parts.ts";
import { readDeviceProtection } from "../plans/device-protection-store.ts";
import { readPlan } from "../plans/plan-store.ts";
import { allPoints, listDropped, markDropped } from "../points/point-store.ts";
import {
  openLocalRepository,
  repositoryFolder,
  repositorySizeBytes,
} from "../repositories/local-repository.ts";
import { noteRepositorySize, primaryRepository } from "../repositories/repository-store.ts";
import type { RunJob } from "../runs/server-runs.ts";
import { planRetention, type RetentionPoint } from "./retention.ts";

/**
 * Two phases. First the points that go are marked, so that nothing new begins with them. Then, committed, their snapshots
 * are removed. A crash between leaves marked points, which the next run removes. What they held alone becomes trash, which
 * the next run's prune frees.
 */
export async function performRetention(
  parts: ProtectionParts,
  job: RunJob,
  signal: AbortSignal,
): Promise<RunResult> {
  const { database, keys, clock } = parts.platform;
  const { repository, isInUse } = await database.asSystem("plan retention", async (tx) => {
    const protection = await readDeviceProtection(tx, job.deviceId, keys.wrapper);
    const plan = protection?.planId ? await readPlan(tx, protection.planId) : undefined;
    const found = await primaryRepository(tx, keys.wrapper, job.deviceId);
    if (plan === undefined || found === undefined)
      throw protectionErrors.error(
        "no-plan",
        "Cannot thin out restore points: the device has no plan; choose one",
      );
    const device = await parts.directory.readDevice(tx, job.deviceId);
    const { timeZone } = await parts.directory.readSite(tx, device.siteId);
    const inUse = await pointsInUse(tx, job.deviceId);
    const points = await allPoints(tx, job.deviceId, new Map());
    const { drop } = planRetention(
      points.map((point) => retentionPoint(point, inUse, plan.replicateTo)),
      plan.retention,
      { timeZone },
    );
    await markDropped(tx, drop, clock.now());
    return { repository: found, isInUse: inUse.size > 0 };
  });
  signal.throwIfAborted();
  const dropped = await database.asSystem("dropped points", (tx) => listDropped(tx, repository.id));
  const folder = repositoryFolder(vaultFolder(parts), repository.id);
  await using opened = await openLocalRepository(folder, repository.password);
  const removed: string[] = [];
  for (const name of dropped) {
    signal.throwIfAborted();
    if ((await opened.backend.stat({ kind: "snapshots", name })) === undefined) continue;
    await opened.backend.remove({ kind: "snapshots", name });
    removed.push(name);
  }
  // A machine that runs out of the repository reads where its blobs lay when it started; they stay until it ends.
  const freedBytes = isInUse ? 0 : await prune(opened, signal);
  const sizeBytes = await repositorySizeBytes(opened);
  await database.asSystem("note size", (tx) => noteRepositorySize(tx, repository.id, sizeBytes));
  return {
    kind: "retention",
    removedPoints: removed.length,
    freedBytes,
  };
}

async function prune(repository: Repository, signal: AbortSignal): Promise<number> {
  try {
    const plan = await planPrune(repository, signal);
    return (await executePrune(repository, plan, { signal })).freedBytes;
  } catch (cause) {
    // A backup is at work or came in between: the next retention frees what this one leaves.
    if (vaultErrors.is(cause, "locked") || vaultErrors.is(cause, "plan-outdated")) return 0;
    throw cause;
  }
}

/** A point that the plan wants off-site is in use until it is there: retention must not overtake replication. */
function retentionPoint(
  point: RestorePoint,
  inUse: ReadonlySet<string>,
  replicateTo: string | null,
): RetentionPoint {
  const awaited =
    replicateTo !== null &&
    point.replicas.some((one) => one.vaultId === replicateTo && one.state === "copying");
  return {
    id: point.id,
    takenAt: new Date(point.takenAt),
    state: point.state,
    provenAt: point.proven === null ? null : new Date(point.proven.at),
    inUse: awaited || inUse.has(point.id),
  };
}

type Tx = Parameters<Parameters<ProtectionParts["platform"]["database"]["asSystem"]>[1]>[0];

async function pointsInUse(tx: Tx, deviceId: string): Promise<ReadonlySet<string>> {
  const rows = await tx.query<{ readonly id: string }>(
    `select restore_point_id as id from protection.recovery_session where device_id = $1 and stopped_at is null
     union select restore_point_id from protection.restore_test where device_id = $1 and finished_at is null`,
    [deviceId],
  );
  return new Set(rows.map((row) => row.id));
}
