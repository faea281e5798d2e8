/** Backs up when it is due or asked for, one run at a time. */

import { setTimeout as sleep } from "node:timers/promises";
import type { BackupDesired, RunProgress, Work } from "@mainstay/contract";
import { runId as runIdSchema } from "@mainstay/contract";
import {
  clockJumped,
  type DueFacts,
  MainstayError,
  mayStart,
  messageOf,
  newUuid,
  nextDue,
  spreadOf,
} from "@mainstay/kit";
import type { Capture, Captured } from "../backup/capture.ts";
import { reconnectPauseMs } from "../connection/reconnect.ts";
import { agentErrors } from "../errors.ts";
import { isExpired } from "../work/work-queue.ts";
import type { AgentState, Surroundings } from "./agent-state.ts";

/** The clock is looked at again after this, whatever is due: it may have jumped. */
const LOOK_MAX_MS = 30_000;

/** A server that stays away for longer fails the run; the next one finds what was sent. */
export const SERVER_AWAY_MAX_MS = 24 * 60 * 60_000;

/** Between two progress messages. */
const PROGRESS_EVERY_MS = 500;

type Next = {
  readonly workId: Work["id"] | null;
  readonly work: Work | undefined;
  readonly desired: BackupDesired;
};

/** A full disk under the data folder is looked at again after this. */
const UNWRITABLE_PAUSE_MS = 60_000;

/** Resolves never; rejects when the signal aborts, or when the agent's own folder holds nonsense. */
export async function keepBackedUp(
  around: Surroundings,
  state: AgentState,
  capture: Capture,
  signal: AbortSignal,
): Promise<never> {
  for (;;) {
    try {
      return await followSchedule(around, state, capture, signal);
    } catch (cause) {
      signal.throwIfAborted();
      if (!agentErrors.is(cause, "state-unwritable")) throw cause;
      around.log("error", cause.message, { againInMs: UNWRITABLE_PAUSE_MS });
      await sleep(UNWRITABLE_PAUSE_MS, undefined, { signal });
    }
  }
}

async function followSchedule(
  around: Surroundings,
  state: AgentState,
  capture: Capture,
  signal: AbortSignal,
): Promise<never> {
  await closeInterruptedRun(around);
  await refuseStaleCancels(around);
  let looked = lookAtClocks(around);
  let wokeAt = around.clock.now();
  for (;;) {
    const look = lookAtClocks(around);
    if (clockJumped(looked, look)) wokeAt = around.clock.now();
    looked = look;
    const next = await chooseNext(around, state, wokeAt);
    if ("waitMs" in next) await state.changed.wait(next.waitMs, signal);
    else await runBackup(around, state, capture, next, signal);
  }
}

async function chooseNext(
  around: Surroundings,
  state: AgentState,
  wokeAt: Date,
): Promise<Next | { readonly waitMs: number }> {
  await refuseExpired(around, state);
  const desired = state.desired?.backup;
  if (
    desired === undefined ||
    desired === null ||
    desired.sources.length === 0 ||
    state.standing !== "active"
  )
    return { waitMs: LOOK_MAX_MS };
  const work = around.workQueue.first();
  if (work !== undefined) return { workId: work.id, work, desired };
  if (desired.everyMinutes === null) return { waitMs: LOOK_MAX_MS };
  const facts = await dueFacts(around, desired.everyMinutes);
  const due = nextDue(facts);
  if (mayStart(facts, due, wokeAt)) return { workId: null, work: undefined, desired };
  // A device let in by its spread has no exact time: it looks again soon.
  return { waitMs: Math.min(LOOK_MAX_MS, Math.max(1000, due.at.getTime() - facts.now.getTime())) };
}

async function dueFacts({ folder, clock, enrolment }: Surroundings, everyMinutes: number): Promise<DueFacts> {
  const history = await folder.backupHistory.read();
  const attempt = history?.lastAttempt ?? null;
  const succeededAt = history?.lastSucceededAt ?? null;
  return {
    now: clock.now(),
    intervalMs: everyMinutes * 60_000,
    lastSucceededAt: succeededAt === null ? null : new Date(succeededAt),
    lastAttempt:
      attempt === null
        ? null
        : { startedAt: new Date(attempt.startedAt), failedInARow: attempt.failedInARow },
    spread: spreadOf(enrolment.deviceId, "backup"),
  };
}

async function runBackup(
  around: Surroundings,
  state: AgentState,
  capture: Capture,
  next: Next,
  signal: AbortSignal,
): Promise<void> {
  const { folder, outbox, clock, log } = around;
  const runId = runIdSchema.parse(newUuid(clock.now()));
  const { workId } = next;
  const startedAt = clock.now().toISOString();
  const run = { runId, runKind: "backup", workId } as const;
  const failedBefore = (await folder.backupHistory.read())?.lastAttempt?.failedInARow ?? 0;
  await folder.runJournal.write({ runId, workId, startedAt });
  // Counted as failed until it succeeds: a run that kills the agent each time must not run without pause.
  await noteAttempt(around, startedAt, failedBefore + 1);
  await outbox.append({ kind: "run-started", at: startedAt, body: run });
  log("info", "Backup started", { runId });
  const cancel = new AbortController();
  state.running = { runId, cancel: (reason) => cancel.abort(reason) };
  const stop = AbortSignal.any([signal, cancel.signal]);
  const outcome = await captureThrough(around, state, capture, { ...next, runId }, stop).catch(
    (cause: unknown) => ({
      cause,
    }),
  );
  state.running = undefined;
  const at = clock.now().toISOString();
  if ("cause" in outcome) {
    const error = failureOf(outcome.cause);
    const ended = signal.aborted ? "interrupted" : "failed";
    const body = { ...run, state: ended, result: null, error, point: null } as const;
    await outbox.append({ kind: "run-finished", at, body });
    log(signal.aborted ? "warning" : "error", `Backup ${ended}: ${error.message}`, {
      runId,
      code: error.code,
    });
  } else {
    await outbox.append({
      kind: "run-finished",
      at,
      body: { ...run, ...outcome, state: "succeeded", error: null },
    });
    await folder.backupHistory.write({
      lastSucceededAt: startedAt,
      lastAttempt: { startedAt, failedInARow: 0 },
    });
    log("info", "Backup succeeded", { runId, point: outcome.point.restorePointId });
  }
  if (next.work !== undefined && !signal.aborted) await around.workQueue.finish(next.work);
  await folder.runJournal.remove();
  signal.throwIfAborted();
}

/** One run through all absences of the server: what was stored is found again and not sent twice. */
async function captureThrough(
  around: Surroundings,
  state: AgentState,
  capture: Capture,
  next: Next & { readonly runId: string },
  signal: AbortSignal,
): Promise<Captured> {
  const { clock, enrolment, log, random } = around;
  const onProgress = throttledProgress(around, state, next.runId);
  let awaySinceMs: number | undefined;
  let failures = 0;
  for (;;) {
    try {
      return await capture({
        desired: next.desired,
        address: enrolment.address,
        certificateSha256: state.desired?.serverCertificateSha256 ?? "",
        hostName: enrolment.deviceId,
        signal,
        onProgress: (progress) => {
          awaySinceMs = undefined;
          failures = 0;
          onProgress(progress);
        },
      });
    } catch (cause) {
      signal.throwIfAborted();
      awaySinceMs ??= clock.monotonicMs();
      failures += 1;
      const isAway = cause instanceof MainstayError && cause.code === "vault.backend-unreachable";
      if (!isAway || clock.monotonicMs() - awaySinceMs > SERVER_AWAY_MAX_MS) throw cause;
      const pauseMs = reconnectPauseMs(failures, random());
      log("warning", `Backup waits for the server: ${cause.message}`, { againInMs: Math.round(pauseMs) });
      await sleep(pauseMs, undefined, { signal });
    }
  }
}

function throttledProgress(
  { clock }: Surroundings,
  state: AgentState,
  runId: string,
): (progress: RunProgress) => void {
  let lastMs = -Infinity;
  return (progress) => {
    const nowMs = clock.monotonicMs();
    if (nowMs - lastMs < PROGRESS_EVERY_MS) return;
    lastMs = nowMs;
    state.sendLossy({ type: "progress", runId: runIdSchema.parse(runId), runKind: "backup", progress });
  };
}

/** The agent ended in the middle of a run: its server has to know before the next one begins. */
async function closeInterruptedRun({ folder, outbox, clock, log }: Surroundings): Promise<void> {
  const journal = await folder.runJournal.read();
  if (journal === undefined) return;
  const { runId, workId } = journal;
  const error = {
    code: "agent.interrupted",
    message: "The agent ended in the middle of the run; the next run sends only what is missing",
  };
  const body = {
    runId,
    runKind: "backup",
    workId,
    state: "interrupted",
    result: null,
    error,
    point: null,
  } as const;
  await outbox.append({ kind: "run-finished", at: clock.now().toISOString(), body });
  await folder.runJournal.remove();
  log("warning", error.message, { runId });
}

/** What a cancel was for ended with the process that ran it. */
async function refuseStaleCancels(around: Surroundings): Promise<void> {
  for (let work = around.workQueue.first(); work?.kind === "cancel-run"; work = around.workQueue.first())
    await refuse(around, work, "agent.work-unknown", "The run to cancel is not going on");
}

async function refuseExpired(around: Surroundings, state: AgentState): Promise<void> {
  for (;;) {
    const work = around.workQueue.first();
    if (work === undefined || !isExpired(work, around.clock.now(), state.serverAheadMs)) return;
    await refuse(
      around,
      work,
      "agent.work-expired",
      `Cannot start: it was to start before ${work.expiresAt}`,
    );
  }
}

async function refuse(around: Surroundings, work: Work, code: string, message: string): Promise<void> {
  const at = around.clock.now().toISOString();
  await around.outbox.append({
    kind: "work-refused",
    at,
    body: { workId: work.id, error: { code, message } },
  });
  await around.workQueue.finish(work);
}

async function noteAttempt({ folder }: Surroundings, startedAt: string, failedInARow: number): Promise<void> {
  const lastSucceededAt = (await folder.backupHistory.read())?.lastSucceededAt ?? null;
  await folder.backupHistory.write({ lastSucceededAt, lastAttempt: { startedAt, failedInARow } });
}

function failureOf(cause: unknown): { readonly code: string; readonly message: string } {
  const error =
    cause instanceof MainstayError ? cause : agentErrors.error("defect", messageOf(cause), { cause });
  return { code: error.code, message: error.message };
}

function lookAtClocks({ clock }: Surroundings): { readonly wallMs: number; readonly steadyMs: number } {
  return { wallMs: clock.now().getTime(), steadyMs: clock.monotonicMs() };
}
