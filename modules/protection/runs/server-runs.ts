/** Runs that this server does itself: queued with a job, begun, finished, and found again after a crash. */

import {
  type CustomerId,
  type DeviceId,
  runId,
  type RunId,
  type RunKind,
  type RunResult,
} from "@mainstay/contract";
import { MainstayError, messageOf, newUuid } from "@mainstay/kit";
import type { Queue, Tx } from "@mainstay/platform";
import { announce } from "../announce.ts";
import type { ProtectionParts } from "../parts.ts";
import { type Failure, finishRun, insertRun, listOpenRuns, openRun, startRun } from "./run-store.ts";

export type ServerRunKind = Exclude<RunKind, "backup">;

export type RunJob = {
  readonly runId: RunId;
  readonly customerId: CustomerId;
  readonly deviceId: DeviceId;
};

const DAY_SECONDS = 24 * 60 * 60;

/** Failures are tried again by the schedule, which knows how often they failed; so the queue does not. */
export const RUN_QUEUES: Readonly<Record<ServerRunKind, Queue<RunJob>>> = {
  replication: queueOf("replication"),
  "restore-test": queueOf("restore-test"),
  verification: queueOf("verification"),
  retention: queueOf("retention"),
};

function queueOf(kind: ServerRunKind): Queue<RunJob> {
  return {
    name: `protection.${kind}`,
    retriesMax: 0,
    retryPauseSeconds: 1,
    runSecondsMax: DAY_SECONDS - 1,
    policy: "every",
  };
}

/** Queues a run, unless one of the kind is open for the device; answers the id of the one that is open then. */
export async function queueRun(
  parts: ProtectionParts,
  tx: Tx,
  kind: ServerRunKind,
  device: { readonly deviceId: DeviceId; readonly customerId: CustomerId },
): Promise<{ readonly runId: RunId; readonly isNew: boolean }> {
  // Two who ask at once must not both find none.
  await tx.query("select pg_advisory_xact_lock(hashtextextended($1, 0))", [`run ${kind} ${device.deviceId}`]);
  const open = await openRun(tx, device.deviceId, kind, () => undefined);
  if (open !== undefined) return { runId: open.id, isNew: false };
  const { clock, jobs } = parts.platform;
  const id = runId.parse(newUuid(clock.now()));
  const { customerId, deviceId } = device;
  await insertRun(tx, { id, customerId, deviceId, kind, state: "queued" }, clock.now());
  await jobs.publish(tx, RUN_QUEUES[kind], { runId: id, customerId, deviceId });
  await announce(parts, tx, "run.changed", { customerId, deviceId, subjectId: id });
  return { runId: id, isNew: true };
}

/** Does the work of a queued run and notes how it ended. Never rejects for what the work did. */
export async function performRun(
  parts: ProtectionParts,
  job: RunJob,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<RunResult>,
): Promise<void> {
  const { database, clock, log } = parts.platform;
  const begun = await database.asSystem("begin run", async (tx) => {
    const isOpen = await startRun(tx, job.runId, clock.now());
    if (isOpen) await announceRun(parts, tx, job);
    return isOpen;
  });
  // A job that comes again after a crash finds its run closed by the start of the server.
  if (!begun) return;
  const cancel = new AbortController();
  cancels.set(job.runId, cancel);
  try {
    const result = await work(AbortSignal.any([signal, parts.stopping, cancel.signal]));
    await finish(parts, job, { state: "succeeded", result });
  } catch (cause) {
    const isInterrupted = parts.stopping.aborted || (signal.aborted && !cancel.signal.aborted);
    log(`run ${job.runId} ${isInterrupted ? "interrupted" : "failed"}: ${messageOf(cause)}`);
    await finish(parts, job, { state: isInterrupted ? "interrupted" : "failed", error: failureOf(cause) });
  } finally {
    cancels.delete(job.runId);
    parts.progress.forget(job.runId);
  }
}

const cancels = new Map<string, AbortController>();

/** Whether the run goes on in this process and was told to end. */
export function cancelServerRun(id: RunId, reason: Error): boolean {
  const cancel = cancels.get(id);
  cancel?.abort(reason);
  return cancel !== undefined;
}

/** At the start: what a former process left open is interrupted, and queued anew. */
export async function resumeServerRuns(parts: ProtectionParts): Promise<void> {
  const { database, clock } = parts.platform;
  await database.asSystem("close interrupted runs", async (tx) => {
    for (const run of await listOpenRuns(tx, ["replication", "restore-test", "verification", "retention"])) {
      const error = {
        code: "server.interrupted",
        message: "The server ended in the middle of the run; it is done again",
      };
      await finishRun(tx, run.id, { state: "interrupted", error }, clock.now());
      await announceRun(parts, tx, { runId: run.id, customerId: run.customerId, deviceId: run.deviceId });
      // Restore tests have a row of their own, which their part of the start looks after.
      if (run.kind !== "restore-test" && run.kind !== "backup") await queueRun(parts, tx, run.kind, run);
    }
  });
}

export function failureOf(cause: unknown): Failure {
  return {
    code: cause instanceof MainstayError ? cause.code : "server.defect",
    message: messageOf(cause),
  };
}

async function finish(
  parts: ProtectionParts,
  job: RunJob,
  outcome: Parameters<typeof finishRun>[2],
): Promise<void> {
  const { database, clock } = parts.platform;
  await database.asSystem("finish run", async (tx) => {
    if (await finishRun(tx, job.runId, outcome, clock.now())) await announceRun(parts, tx, job);
  });
}

async function announceRun(parts: ProtectionParts, tx: Tx, job: RunJob): Promise<void> {
  const { customerId, deviceId } = job;
  await announce(parts, tx, "run.changed", { customerId, deviceId, subjectId: job.runId });
}
