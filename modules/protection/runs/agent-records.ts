/** What agents tell of their backups, taken into the database. Hostile input: device and customer come from the key. */

import type { AgentDevice, AgentHooks, Tx } from "@mainstay/platform";
import { announce } from "../announce.ts";
import { backupDesired } from "../plans/backup-desired.ts";
import type { ProtectionParts } from "../parts.ts";
import { adoptRuns } from "../points/point-store.ts";
import { syncPoints } from "../points/sync-points.ts";
import { primaryRepository } from "../repositories/repository-store.ts";
import { finishRun, insertRun, readRun } from "./run-store.ts";

/** Called after a backup's points are known; for replication. */
export type OnBackup = (device: AgentDevice) => Promise<void>;

export function agentHooks(parts: ProtectionParts, onBackup: OnBackup): AgentHooks {
  return {
    backupDesired: (tx, device) => backupDesired(parts, tx, device),
    progress: ({ deviceId, customerId }, { runId, progress }) =>
      parts.progress.tell({ runId, deviceId, customerId }, progress),
    records: {
      "run-started": async (tx, device, { body }) => {
        if (!(await isOwn(tx, device, body.runId))) return;
        await closeEarlierRuns(parts, tx, device, body.runId);
        const askedAs = await takeQueuedBackup(tx, device);
        const { customerId, deviceId } = device;
        const made = { id: body.runId, customerId, deviceId, kind: "backup", state: "running" } as const;
        await insertRun(tx, { ...made, workId: body.workId, askedAs }, parts.platform.clock.now());
        await announceRun(parts, tx, device, body.runId);
      },
      "work-refused": async (tx, device, { body }) => {
        const rows = await tx.query<{ readonly id: string }>(QUEUED_BACKUPS, [device.deviceId]);
        for (const { id } of rows) {
          await finishRun(tx, id, { state: "failed", error: body.error }, parts.platform.clock.now());
          await announceRun(parts, tx, device, id);
        }
      },
      "run-finished": (tx, device, { body }) => finish(parts, onBackup, tx, device, body),
    },
  };
}

type Finished = Parameters<NonNullable<NonNullable<AgentHooks["records"]>["run-finished"]>>[2]["body"];

async function finish(
  parts: ProtectionParts,
  onBackup: OnBackup,
  tx: Tx,
  device: AgentDevice,
  body: Finished,
): Promise<void> {
  if (!(await isOwn(tx, device, body.runId))) return;
  const now = parts.platform.clock.now();
  const { customerId, deviceId } = device;
  // The record of the start may be lost with a damaged outbox.
  await insertRun(tx, { id: body.runId, customerId, deviceId, kind: "backup", state: "running" }, now);
  const { result } = body;
  const isGood = body.state === "succeeded" && result?.kind === "backup";
  const error = body.error ?? { code: "agent.defect", message: "The agent gave no reason" };
  const state = body.state === "interrupted" ? "interrupted" : "failed";
  const changed = await finishRun(
    tx,
    body.runId,
    isGood ? { state: "succeeded", result } : { state, error },
    now,
  );
  parts.progress.forget(body.runId);
  if (!changed) return;
  await announceRun(parts, tx, device, body.runId);
  if (!isGood) return;
  await adoptRuns(tx, deviceId);
  tx.afterCommit(() => {
    afterBackup(parts, onBackup, device).catch((cause: unknown) =>
      parts.platform.log(`points of device ${deviceId} are looked for again later: ${String(cause)}`),
    );
  });
}

async function afterBackup(parts: ProtectionParts, onBackup: OnBackup, device: AgentDevice): Promise<void> {
  const { database, keys } = parts.platform;
  const repository = await database.asSystem("find repository", (tx) =>
    primaryRepository(tx, keys.wrapper, device.deviceId),
  );
  if (repository === undefined) return;
  await syncPoints(parts, repository.id);
  await onBackup(device);
}

/** A run id that another device uses is nonsense, taken silently. */
async function isOwn(tx: Tx, device: AgentDevice, runId: string): Promise<boolean> {
  const known = await readRun(tx, runId, () => undefined);
  return known === undefined || (known.deviceId === device.deviceId && known.kind === "backup");
}

const QUEUED_BACKUPS = `select id from protection.run where device_id = $1 and kind = 'backup' and state = 'queued'`;

/** The agent names its runs itself: the one now begun takes the place, and the old name, of the one that was queued. */
async function takeQueuedBackup(tx: Tx, device: AgentDevice): Promise<string | undefined> {
  const [queued] = await tx.query<{ readonly id: string }>(
    "delete from protection.run where device_id = $1 and kind = 'backup' and state = 'queued' returning id",
    [device.deviceId],
  );
  return queued?.id;
}

/** An agent runs one backup at a time: an open one beside a new one was lost with the agent's folder. */
async function closeEarlierRuns(
  parts: ProtectionParts,
  tx: Tx,
  device: AgentDevice,
  runId: string,
): Promise<void> {
  const rows = await tx.query<{ readonly id: string }>(
    `select id from protection.run where device_id = $1 and kind = 'backup' and state = 'running' and id <> $2`,
    [device.deviceId, runId],
  );
  for (const { id } of rows) {
    const error = {
      code: "agent.interrupted",
      message: "The agent began another backup without ending this one",
    };
    await finishRun(tx, id, { state: "interrupted", error }, parts.platform.clock.now());
    await announceRun(parts, tx, device, id);
  }
}

async function announceRun(
  parts: ProtectionParts,
  tx: Tx,
  device: AgentDevice,
  runId: string,
): Promise<void> {
  const { customerId, deviceId } = device;
  await announce(parts, tx, "run.changed", { customerId, deviceId, subjectId: runId });
}
