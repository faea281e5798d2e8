/** The agent itself: connected when it can be, backing up when it is due, until it is told to stop. */

import type { Clock } from "@mainstay/kit";
import type { Capture } from "./backup/capture.ts";
import { agentErrors } from "./errors.ts";
import type { Log } from "./log.ts";
import type { AgentState, Surroundings } from "./loop/agent-state.ts";
import { keepBackedUp } from "./loop/keep-backed-up.ts";
import { stayConnected } from "./loop/stay-connected.ts";
import { bell } from "./loop/wake.ts";
import { openOutbox } from "./outbox/outbox.ts";
import { lockFolder, openFolder } from "./state/folder.ts";
import { openWorkQueue } from "./work/work-queue.ts";

export type RunOptions = {
  readonly dataFolder: string;
  readonly version: string;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  readonly capture: Capture;
  readonly signal: AbortSignal;
};

/**
 * Runs until the signal aborts, then resolves once the current run is noted as interrupted. Rejects when there is no
 * enrolment, when the server refuses the device for good, or when the data folder fails.
 */
export async function runAgent(options: RunOptions): Promise<void> {
  const { dataFolder, capture, signal, ...rest } = options;
  const folder = await openFolder(dataFolder);
  await using resources = new AsyncDisposableStack();
  resources.use(await lockFolder(dataFolder));
  const enrolment = await folder.enrolment.read();
  if (enrolment === undefined)
    throw agentErrors.error(
      "not-enrolled",
      `Cannot run: "${dataFolder}" holds no enrolled device; run "mainstay agent enrol" first`,
      { values: { dataFolder } },
    );
  const outbox = await openOutbox(folder.outboxFile);
  if (outbox.damagedLines.length > 0)
    options.log("warning", "Records of the outbox were damaged and are lost", { lines: outbox.damagedLines });
  const workQueue = await openWorkQueue(folder.workQueue);
  const around: Surroundings = { ...rest, folder, enrolment, outbox, workQueue };
  const desired = await folder.desired.read();
  const state: AgentState = {
    desired,
    // Who was given a desired state was active; the server says so again at the next connection.
    standing: desired === undefined ? "pending" : "active",
    serverAheadMs: 0,
    running: undefined,
    sendLossy: () => undefined,
    changed: bell(),
  };
  await runLoops(around, state, capture, signal);
  await outbox.close();
}

async function runLoops(
  around: Surroundings,
  state: AgentState,
  capture: Capture,
  signal: AbortSignal,
): Promise<void> {
  const over = new AbortController();
  const stop = AbortSignal.any([signal, over.signal]);
  const loops = [stayConnected(around, state, stop), keepBackedUp(around, state, capture, stop)];
  // The first to fail stops the other, and is the failure told.
  const first = await Promise.race(loops).catch((cause: unknown) => cause);
  over.abort(first);
  await Promise.allSettled(loops);
  if (!signal.aborted) throw first;
}
