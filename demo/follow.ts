/** Waiting for what the server does in the background. */

import { setTimeout as sleep } from "node:timers/promises";
import type {
  Client,
  DeviceId,
  RecoverySession,
  RestorePoint,
  RestoreTest,
  Run,
  VaultId,
} from "@mainstay/contract";
import { assert, must } from "@mainstay/kit";

const POLL_MS = 200;
const WAIT_MS_MAX = 15 * 60_000;

/** Starts the run, or joins the one that is on its way, and waits for its success. */
export async function runToEnd(
  client: Client,
  deviceId: DeviceId,
  kind: "backup" | "replication",
  signal: AbortSignal,
): Promise<Run> {
  let run = await untilAccepted(() => client.runs.start({ params: { deviceId }, body: { kind } }), signal);
  await waitUntil(async () => {
    run = await client.runs.read({ params: { runId: run.id } });
    return run.state !== "queued" && run.state !== "running";
  }, signal);
  if (run.state === "succeeded") return run;
  throw new Error(`The ${kind} ${run.state}: ${run.error?.message ?? "no reason is on record"}`);
}

/** The restore point that a backup made, once the server has found it in the repository. */
export async function pointOf(client: Client, run: Run, signal: AbortSignal): Promise<RestorePoint> {
  const restorePointId = run.result?.kind === "backup" ? run.result.restorePointId : undefined;
  assert(restorePointId !== undefined, "a backup that succeeded made a restore point");
  let point: RestorePoint | undefined;
  await waitUntil(async () => {
    const { items } = await client.restorePoints.list({ query: { deviceId: run.deviceId, limit: 10 } });
    point = items.find(({ id }) => id === restorePointId);
    return point !== undefined;
  }, signal);
  return must(point, "it was waited for");
}

export async function untilReplicated(
  client: Client,
  point: RestorePoint,
  vaultId: VaultId,
  signal: AbortSignal,
): Promise<void> {
  await waitUntil(async () => {
    const { replicas } = await client.restorePoints.read({ params: { restorePointId: point.id } });
    return replicas.some((replica) => replica.vaultId === vaultId && replica.state === "present");
  }, signal);
}

/** What all replications of the device sent, also those that followed a backup by themselves. */
export async function replicationFigures(
  client: Client,
  deviceId: DeviceId,
): Promise<{ readonly runs: number; readonly sentBytes: number; readonly packs: number }> {
  const { items } = await client.runs.list({ query: { deviceId, kind: "replication", state: "succeeded" } });
  const results = items.flatMap(({ result }) =>
    result?.kind === "replication" && result.packs > 0 ? [result] : [],
  );
  return {
    runs: results.length,
    sentBytes: results.reduce((sum, { sentBytes }) => sum + sentBytes, 0),
    packs: results.reduce((sum, { packs }) => sum + packs, 0),
  };
}

/** Resolves when the machine runs and its ports can be reached. */
export async function untilForwarded(
  client: Client,
  session: RecoverySession,
  signal: AbortSignal,
): Promise<RecoverySession> {
  let now = session;
  await waitUntil(async () => {
    now = await client.recoverySessions.read({ params: { recoverySessionId: session.id } });
    if (now.state === "failed")
      throw new Error(`The recovery failed: ${now.error?.message ?? "no reason is on record"}`);
    return now.forwards.length > 0;
  }, signal);
  return now;
}

export async function untilTested(
  client: Client,
  test: RestoreTest,
  signal: AbortSignal,
): Promise<RestoreTest> {
  let now = test;
  await waitUntil(async () => {
    now = await client.restoreTests.read({ params: { restoreTestId: test.id } });
    return now.state !== "queued" && now.state !== "running";
  }, signal);
  return now;
}

/** The agent may still be connecting. */
async function untilAccepted<Result>(ask: () => Promise<Result>, signal: AbortSignal): Promise<Result> {
  const deadlineMs = performance.now() + 30_000;
  for (;;) {
    try {
      return await ask();
    } catch (cause) {
      const isAway = cause instanceof Error && "code" in cause && cause.code === "protection.agent-away";
      if (!isAway || performance.now() > deadlineMs) throw cause;
      await sleep(POLL_MS, undefined, { signal });
    }
  }
}

async function waitUntil(isDone: () => Promise<boolean>, signal: AbortSignal): Promise<void> {
  const deadlineMs = performance.now() + WAIT_MS_MAX;
  while (!(await isDone())) {
    if (performance.now() > deadlineMs)
      throw new Error(`Nothing came of it within ${WAIT_MS_MAX / 60_000} minutes`);
    await sleep(POLL_MS, undefined, { signal });
  }
}
