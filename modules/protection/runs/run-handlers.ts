/** The routes of runs. */

import { type Run, runId } from "@mainstay/contract";
import { must, newUuid } from "@mainstay/kit";
import { appendAudit, contractErrors, type HandlersOf, notFound, type Tx } from "@mainstay/platform";
import { announce } from "../announce.ts";
import { protectionErrors } from "../errors.ts";
import type { ProtectionParts } from "../parts.ts";
import { protectionOf } from "../plans/device-protection-handlers.ts";
import { finishRun, insertRun, listRuns, openRun, readRun } from "./run-store.ts";
import { cancelServerRun, queueRun } from "./server-runs.ts";

/** A backup asked for by a person is not begun later than this: by then it is no answer to what they wanted. */
export const BACKUP_NOW_MS = 15 * 60_000;

const errors = contractErrors("protection");

export function runHandlers(parts: ProtectionParts): HandlersOf<"runs"> {
  const { database, clock } = parts.platform;
  const progressOf = parts.progress.of;
  return {
    list: ({ caller, query }) =>
      database.inScope(caller.scope, (tx) => listRuns(tx, query, query, progressOf)),
    read: ({ caller, params }) =>
      database.inScope(caller.scope, (tx) => existingRun(parts, tx, params.runId)),
    start: ({ caller, params, body }) =>
      database.inScope(caller.scope, async (tx) => {
        const device = await parts.directory.readDevice(tx, params.deviceId);
        const owner = { deviceId: device.id, customerId: device.customerId };
        const started =
          body.kind === "backup"
            ? await startBackup(parts, tx, { ...owner, name: device.name })
            : await existingRun(parts, tx, (await queueRun(parts, tx, body.kind, owner)).runId);
        await appendAudit(tx, {
          actor: caller.actor,
          action: "run.start",
          customerId: device.customerId,
          subject: { kind: "device", id: device.id, name: device.name },
          after: { kind: body.kind, runId: started.id },
        });
        return started;
      }),
    cancel: ({ caller, params }) =>
      database.inScope(caller.scope, async (tx) => {
        const run = await existingRun(parts, tx, params.runId);
        if (run.finishedAt !== null)
          throw errors.error("not-running", "Cannot stop the run: it has ended already", {
            values: { state: run.state },
          });
        const device = await parts.directory.readDevice(tx, run.deviceId);
        if (run.kind === "backup") {
          const agent = { deviceId: device.id, customerId: device.customerId, name: device.name };
          const expiresAt = new Date(clock.now().getTime() + BACKUP_NOW_MS);
          const work = {
            kind: "cancel-run",
            dedupeKey: `cancel ${run.id}`,
            expiresAt,
            runId: run.id,
          } as const;
          await parts.agents.queueWork(tx, agent, work);
        } else if (
          !cancelServerRun(run.id, protectionErrors.error("not-running", "A technician stopped the run"))
        ) {
          const error = { code: "server.cancelled", message: "A technician stopped the run before it began" };
          await finishRun(tx, run.id, { state: "failed", error }, clock.now());
        }
        await appendAudit(tx, {
          actor: caller.actor,
          action: "run.cancel",
          customerId: run.customerId,
          subject: { kind: "run", id: run.id, name: `${run.kind} of ${device.name}` },
        });
        return await existingRun(parts, tx, run.id);
      }),
  };
}

async function existingRun(parts: ProtectionParts, tx: Tx, id: string): Promise<Run> {
  const run = await readRun(tx, id, parts.progress.of);
  if (run === undefined) throw notFound("run", id);
  return run;
}

type Agent = Parameters<ProtectionParts["agents"]["queueWork"]>[1];

/** The agent makes the run when it begins; until then its place is held by a queued one of this server. */
async function startBackup(parts: ProtectionParts, tx: Tx, agent: Agent): Promise<Run> {
  const { clock } = parts.platform;
  const protection = await protectionOf(parts, tx, agent.deviceId);
  if (protection.sources.length === 0)
    throw errors.error(
      "no-plan",
      `Cannot back up "${agent.name}": it has nothing to capture; set its sources first`,
    );
  const open = await openRun(tx, agent.deviceId, "backup", parts.progress.of);
  if (open !== undefined) return open;
  if (!parts.agents.isConnected(agent.deviceId))
    throw errors.error(
      "agent-away",
      `Cannot back up "${agent.name}" now: its agent is not connected; start the agent`,
    );
  const expiresAt = new Date(clock.now().getTime() + BACKUP_NOW_MS);
  const id = await insertQueuedBackup(parts, tx, agent);
  await parts.agents.queueWork(tx, agent, { kind: "backup-now", dedupeKey: `backup ${id}`, expiresAt });
  return must(await readRun(tx, id, parts.progress.of), "the run was just queued");
}

async function insertQueuedBackup(parts: ProtectionParts, tx: Tx, agent: Agent): Promise<string> {
  const { clock } = parts.platform;
  const id = runId.parse(newUuid(clock.now()));
  const { customerId, deviceId } = agent;
  await insertRun(tx, { id, customerId, deviceId, kind: "backup", state: "queued" }, clock.now());
  await announce(parts, tx, "run.changed", { customerId, deviceId, subjectId: id });
  return id;
}
