/** Bringing a device's restore points to the vault off-site: only the packs that it lacks, sealed as they lie. */

import type { CustomerId, DeviceId, RestorePoint, RunResult, VaultId } from "@mainstay/contract";
import {
  executeReplication,
  listSnapshots,
  openRepository,
  planReplication,
  type Repository,
} from "@mainstay/vault";
import { createRepository } from "@mainstay/vault";
import { announce } from "../announce.ts";
import { protectionErrors } from "../errors.ts";
import type { ProtectionParts } from "../parts.ts";
import { vaultFolder } from "../parts.ts";
import { readDeviceProtection } from "../plans/device-protection-store.ts";
import { readPlan } from "../plans/plan-store.ts";
import { allPoints, noteReplica } from "../points/point-store.ts";
import { openLocalRepository, repositoryFolder } from "../repositories/local-repository.ts";
import {
  claimRepository,
  markRepositoryReady,
  noteRepositorySize,
  primaryRepository,
  type StoredRepository,
} from "../repositories/repository-store.ts";
import type { RunJob } from "../runs/server-runs.ts";
import { type PeerAddress, readPeerAddress } from "../vaults/vault-store.ts";
import { peerBackend, peerClient, unreachable } from "./peer-client.ts";

/** What one replication works on. */
type Route = {
  readonly peer: PeerAddress;
  readonly source: StoredRepository;
  readonly target: StoredRepository;
  readonly capBytesPerSecond: number | null;
  readonly missing: readonly RestorePoint[];
  /** The newest usable one; when nothing is missing, the vault holds it already. */
  readonly newest: RestorePoint;
  readonly names: { readonly device: string; readonly customer: string };
};

/**
 * Replicates all points that the vault of the plan lacks. What was sent before an interruption is found there and not sent
 * again. Rejects with `protection.vault-unreachable`, `vault.*`, or the signal's reason.
 */
export async function replicateDevice(
  parts: ProtectionParts,
  job: RunJob,
  signal: AbortSignal,
): Promise<RunResult> {
  const route = await readRoute(parts, job);
  await prepareTarget(route);
  const folder = repositoryFolder(vaultFolder(parts), route.source.id);
  await using from = await openLocalRepository(folder, route.source.password);
  await using to = await openTarget(route, from);
  await parts.platform.database.asSystem("replica is made", (tx) => markRepositoryReady(tx, route.target.id));
  const wanted = new Set<string>(route.missing.map((point) => point.id));
  const snapshots = (await listSnapshots(from, signal)).filter(({ id }) => wanted.has(id));
  await noteReplicas(parts, route, route.missing, "copying");
  const plan = await planReplication(from, to, snapshots, signal);
  const told = progressTeller(parts, job);
  const done = await executeReplication(from, to, plan, { onProgress: told, signal });
  const present = new Set(snapshots.map(({ id }) => id as string));
  await noteReplicas(
    parts,
    route,
    route.missing.filter((point) => present.has(point.id)),
    "present",
  );
  await noteSize(parts, route);
  return {
    kind: "replication",
    restorePointId: route.newest.id,
    vaultId: route.peer.vaultId,
    sentBytes: done.sentBytes,
    packs: done.packs,
  };
}

/** Usable points of the device, newest first, that the vault does not hold. */
export function missingPoints(points: readonly RestorePoint[], vaultId: VaultId): readonly RestorePoint[] {
  return points.filter(
    (point) =>
      point.state === "usable" &&
      !point.replicas.some((replica) => replica.vaultId === vaultId && replica.state === "present"),
  );
}

async function readRoute(parts: ProtectionParts, job: RunJob): Promise<Route> {
  const { database, keys, clock } = parts.platform;
  return await database.asSystem("plan replication", async (tx) => {
    const protection = await readDeviceProtection(tx, job.deviceId, keys.wrapper);
    const plan = protection?.planId ? await readPlan(tx, protection.planId) : undefined;
    if (plan === undefined || plan.replicateTo === null)
      throw protectionErrors.error(
        "no-plan",
        "Cannot replicate: the device's plan names no vault off-site; choose one",
      );
    const peer = await readPeerAddress(tx, keys.wrapper, plan.replicateTo);
    const source = await primaryRepository(tx, keys.wrapper, job.deviceId);
    if (peer === undefined || source?.state !== "ready")
      throw protectionErrors.error(
        "point-missing",
        "Cannot replicate: the device has no repository yet; back it up first",
      );
    const owner = { customerId: job.customerId, deviceId: job.deviceId, vaultId: peer.vaultId };
    const target = await claimRepository(tx, keys.wrapper, owner, clock.now(), source.password);
    const points = await allPoints(tx, job.deviceId, new Map());
    const newest = points.find((point) => point.state === "usable");
    if (newest === undefined)
      throw protectionErrors.error(
        "point-missing",
        "Cannot replicate: there is no restore point yet; back the device up first",
      );
    const device = await parts.directory.readDevice(tx, job.deviceId);
    const customer = await parts.directory.readCustomer(tx, job.customerId);
    return {
      peer,
      source,
      target,
      capBytesPerSecond: plan.bandwidthCapBytesPerSecond,
      missing: missingPoints(points, peer.vaultId),
      newest,
      names: { device: device.name, customer: customer.name },
    };
  });
}

async function prepareTarget({ peer, target, names }: Route): Promise<void> {
  try {
    await peerClient(peer).peerApi.createRepository({
      params: { repositoryId: target.id },
      body: { deviceName: names.device, customerName: names.customer, password: target.password },
    });
  } catch (cause) {
    throw unreachable(peer.name, cause);
  }
}

async function openTarget(route: Route, from: Repository): Promise<Repository> {
  const backend = peerBackend(route.peer, route.target.id, route.capBytesPerSecond);
  const options = { backend, password: route.target.password, threads: 1 };
  // Shared secrets: the packs travel as they lie, and the replica's ids are the same.
  if ((await backend.stat({ kind: "config", name: "" })) === undefined)
    return await createRepository({ ...options, sameSecretsAs: from });
  return await openRepository(options);
}

async function noteReplicas(
  parts: ProtectionParts,
  route: Route,
  points: readonly RestorePoint[],
  state: "copying" | "present",
): Promise<void> {
  const { database, clock } = parts.platform;
  await database.asSystem("note replicas", async (tx) => {
    for (const point of points) {
      await noteReplica(tx, point, route.peer.vaultId, state, clock.now());
      await announce(parts, tx, "restore-point.changed", {
        customerId: point.customerId,
        deviceId: point.deviceId,
        subjectId: point.id,
      });
    }
  });
}

async function noteSize(parts: ProtectionParts, { peer, target }: Route): Promise<void> {
  const { items } = await peerClient(peer).peerApi.listRepositories();
  const kept = items.find((item) => item.repositoryId === target.id);
  if (kept === undefined) return;
  await parts.platform.database.asSystem("note replica size", (tx) =>
    noteRepositorySize(tx, target.id, kept.sizeBytes),
  );
}

function progressTeller(
  parts: ProtectionParts,
  job: { readonly runId: string; readonly customerId: CustomerId; readonly deviceId: DeviceId },
): (doneBytes: number, totalBytes: number) => void {
  const startMs = parts.platform.clock.monotonicMs();
  return (doneBytes, totalBytes) => {
    const tookMs = Math.max(1, parts.platform.clock.monotonicMs() - startMs);
    const bytesPerSecond = (doneBytes * 1000) / tookMs;
    const remainingMs = bytesPerSecond > 0 ? ((totalBytes - doneBytes) * 1000) / bytesPerSecond : null;
    parts.progress.tell(job, { phase: "sending packs", doneBytes, totalBytes, bytesPerSecond, remainingMs });
  };
}
