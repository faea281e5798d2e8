/** Looks every few seconds at what is due, and queues it: replication, restore tests, verification, retention. */

import { setTimeout as sleep } from "node:timers/promises";
import type { Device, ProtectionPlan } from "@mainstay/contract";
import { clockJumped, type DueFacts, mayStart, messageOf, nextDue, spreadOf } from "@mainstay/kit";
import type { Tx } from "@mainstay/platform";
import { missingPoints } from "../offsite/replicate-device.ts";
import type { ProtectionParts } from "../parts.ts";
import { listDeviceProtections } from "../plans/device-protection-store.ts";
import { readPlan } from "../plans/plan-store.ts";
import { allPoints } from "../points/point-store.ts";
import { syncPoints } from "../points/sync-points.ts";
import { ensureLocalRepository } from "../repositories/ensure-repository.ts";
import { listRepositories, primaryRepository } from "../repositories/repository-store.ts";
import { BACKUP_NOW_MS } from "../runs/run-handlers.ts";
import { finishRun, openRun, runHistory } from "../runs/run-store.ts";
import { queueRun, type ServerRunKind } from "../runs/server-runs.ts";
import { queueTest } from "../tests/run-tests.ts";
import { measureVaults } from "../vaults/vault-handlers.ts";
import { localVaultId } from "../vaults/vault-store.ts";

const LOOK_EVERY_MS = 5_000;
const HOUR_MS = 60 * 60_000;

/** Every byte of a repository is read back at least this often. */
export const VERIFY_EVERY_MS = 7 * 24 * HOUR_MS;
export const RETENTION_EVERY_MS = 24 * HOUR_MS;

/** Uploads are noticed at once, and vaults change slowly: this is for what was missed. */
const SLOW_EVERY_LOOKS = 12;

export type Scheduler = {
  start(): void;
  /** Resolves when the look going on is over; the signal of the parts ends them. */
  stop(): Promise<void>;
};

export function createScheduler(parts: ProtectionParts): Scheduler {
  const { clock, log } = parts.platform;
  let looking: Promise<void> = Promise.resolve();
  let looks = 0;
  let seen = clocks(parts);
  let wokeAt = clock.now();
  const look = async (): Promise<void> => {
    const now = clocks(parts);
    if (clockJumped(seen, now)) wokeAt = clock.now();
    seen = now;
    await lookAtAll(parts, wokeAt);
    if (looks % SLOW_EVERY_LOOKS === 0) await Promise.all([syncAll(parts), measureVaults(parts)]);
    looks += 1;
  };
  const keepLooking = async (): Promise<void> => {
    while (!parts.stopping.aborted) {
      await look().catch((cause: unknown) => log(`schedule: ${messageOf(cause)}`));
      await sleep(LOOK_EVERY_MS, undefined, { signal: parts.stopping }).catch(() => undefined);
    }
  };
  return {
    start: () => {
      looking = keepLooking();
    },
    stop: () => looking,
  };
}

async function lookAtAll(parts: ProtectionParts, wokeAt: Date): Promise<void> {
  const { database, keys, log } = parts.platform;
  const found = await database.asSystem("look at the schedule", async (tx) => {
    await failStaleBackups(parts, tx);
    const protections = await listDeviceProtections(tx, keys.wrapper);
    const devices = await parts.directory.listDevices(tx);
    return devices
      .filter((device) => device.state === "active")
      .flatMap((device) => {
        const protection = protections.find((one) => one.deviceId === device.id);
        return protection === undefined ? [] : [{ device, protection }];
      });
  });
  for (const { device, protection } of found) {
    try {
      if (protection.sources.length > 0) await makeReady(parts, device);
      if (protection.planId !== null) await lookAtDevice(parts, device, protection.planId, wokeAt);
    } catch (cause) {
      log(`schedule of "${device.name}": ${messageOf(cause)}`);
    }
  }
}

/** The repository, before the agent asks; when it is there, the agent is told. */
async function makeReady(parts: ProtectionParts, device: Device): Promise<void> {
  const { database, keys } = parts.platform;
  const known = await database.asSystem("find repository", (tx) =>
    primaryRepository(tx, keys.wrapper, device.id),
  );
  if (known?.state === "ready") return;
  await ensureLocalRepository(parts, device);
  await database.asSystem("tell the agent", async (tx) => parts.agents.refresh(tx, device.id));
}

async function lookAtDevice(
  parts: ProtectionParts,
  device: Device,
  planId: string,
  wokeAt: Date,
): Promise<void> {
  await parts.platform.database.asSystem("look at a device", async (tx) => {
    const plan = await readPlan(tx, planId);
    if (plan === undefined) return;
    const points = await allPoints(tx, device.id, new Map());
    const usable = points.filter((point) => point.state === "usable");
    if (usable.length === 0) return;
    const owner = { deviceId: device.id, customerId: device.customerId };
    if (plan.replicateTo !== null && missingPoints(points, plan.replicateTo).length > 0)
      if (await mayRetry(parts, tx, device, "replication")) await queueRun(parts, tx, "replication", owner);
    if (await isTestDue(parts, tx, device, plan, wokeAt))
      if (usable.some((point) => point.kind === "image")) await queueTest(parts, tx, { deviceId: device.id });
    if (await isDue(parts, tx, device, "verification", VERIFY_EVERY_MS, wokeAt))
      await queueRun(parts, tx, "verification", owner);
    if (await isDue(parts, tx, device, "retention", RETENTION_EVERY_MS, wokeAt))
      await queueRun(parts, tx, "retention", owner);
  });
}

async function isTestDue(
  parts: ProtectionParts,
  tx: Tx,
  device: Device,
  plan: ProtectionPlan,
  wokeAt: Date,
): Promise<boolean> {
  const { restoreTestEveryHours } = plan;
  if (restoreTestEveryHours === null) return false;
  return await isDue(parts, tx, device, "restore-test", restoreTestEveryHours * HOUR_MS, wokeAt);
}

async function isDue(
  parts: ProtectionParts,
  tx: Tx,
  device: Device,
  kind: ServerRunKind,
  intervalMs: number,
  wokeAt: Date,
): Promise<boolean> {
  if ((await openRun(tx, device.id, kind, () => undefined)) !== undefined) return false;
  const history = await runHistory(tx, device.id, kind);
  const facts: DueFacts = {
    now: parts.platform.clock.now(),
    intervalMs,
    ...history,
    spread: spreadOf(device.id, kind),
  };
  return mayStart(facts, nextDue(facts), wokeAt);
}

/** What is wanted now waits only for the pause after failures. */
async function mayRetry(
  parts: ProtectionParts,
  tx: Tx,
  device: Device,
  kind: ServerRunKind,
): Promise<boolean> {
  if ((await openRun(tx, device.id, kind, () => undefined)) !== undefined) return false;
  const { lastAttempt } = await runHistory(tx, device.id, kind);
  if (lastAttempt === null || lastAttempt.failedInARow === 0) return true;
  const now = parts.platform.clock.now();
  const facts: DueFacts = {
    now,
    intervalMs: HOUR_MS,
    lastSucceededAt: null,
    lastAttempt,
    spread: spreadOf(device.id, kind),
  };
  return nextDue(facts).at <= now;
}

/** A backup asked for, which the agent did not begin in time, will not come. */
async function failStaleBackups(parts: ProtectionParts, tx: Tx): Promise<void> {
  const now = parts.platform.clock.now();
  const rows = await tx.query<{ readonly id: string }>(
    "select id from protection.run where kind = 'backup' and state = 'queued' and queued_at < $1",
    [new Date(now.getTime() - BACKUP_NOW_MS)],
  );
  for (const { id } of rows) {
    const error = { code: "protection.agent-away", message: "The agent did not begin the backup in time" };
    await finishRun(tx, id, { state: "failed", error }, now);
  }
}

async function syncAll(parts: ProtectionParts): Promise<void> {
  const { database, keys, log } = parts.platform;
  const own = await database.asSystem("list repositories", async (tx) =>
    listRepositories(tx, keys.wrapper, await localVaultId(tx)),
  );
  for (const { id } of own)
    await syncPoints(parts, id).catch((cause: unknown) => log(`points of ${id}: ${messageOf(cause)}`));
}

function clocks({ platform }: ProtectionParts): { readonly wallMs: number; readonly steadyMs: number } {
  return { wallMs: platform.clock.now().getTime(), steadyMs: platform.clock.monotonicMs() };
}
