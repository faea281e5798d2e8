/** Protection as a module: its tables, its routes, its work, and how it starts and stops. */

import type { Directory } from "@mainstay/directory";
import { messageOf } from "@mainstay/kit";
import { repositoryId } from "@mainstay/contract";
import type { AgentLink, ModuleDeclaration, ModuleParts, Platform } from "@mainstay/platform";
import { evidenceHandlers } from "./evidence/handlers.ts";
import { evidenceSigner } from "./evidence/signature.ts";
import { createMachineHost, type MachineHost } from "./machines/machine-host.ts";
import { replicateDevice } from "./offsite/replicate-device.ts";
import { type ProtectionParts, recoveryFolder } from "./parts.ts";
import { keptHandlers } from "./peers/kept-repositories.ts";
import { authenticatePeer, peerHandlers } from "./peers/peer-handlers.ts";
import { peerMachineHandlers } from "./peers/peer-machines.ts";
import { deviceProtectionHandlers } from "./plans/device-protection-handlers.ts";
import { planHandlers } from "./plans/plan-handlers.ts";
import { pointHandlers } from "./points/point-handlers.ts";
import { syncPoints } from "./points/sync-points.ts";
import { restMount } from "./repositories/rest-access.ts";
import { verifyDevice } from "./repositories/verify-repository.ts";
import { performRetention } from "./retention/run-retention.ts";
import { agentHooks } from "./runs/agent-records.ts";
import { createProgressBoard } from "./runs/progress-board.ts";
import { runHandlers } from "./runs/run-handlers.ts";
import {
  performRun,
  queueRun,
  resumeServerRuns,
  RUN_QUEUES,
  type RunJob,
  type ServerRunKind,
} from "./runs/server-runs.ts";
import { createScheduler } from "./schedule/scheduler.ts";
import { createSessions } from "./sessions/run-sessions.ts";
import { screenSockets } from "./sessions/screen-socket.ts";
import { sessionHandlers } from "./sessions/session-handlers.ts";
import { overviewHandlers } from "./status/overview-handlers.ts";
import { closeInterruptedTests, performTest } from "./tests/run-tests.ts";
import { testHandlers } from "./tests/test-handlers.ts";
import { readDeviceProtection } from "./plans/device-protection-store.ts";
import { readPlan } from "./plans/plan-store.ts";
import { vaultHandlers } from "./vaults/vault-handlers.ts";
import { claimLocalVault } from "./vaults/vault-store.ts";

export const protectionDeclaration: ModuleDeclaration = {
  name: "protection",
  migrations: new URL("./migrations/", import.meta.url),
  needs: ["directory"],
};

export type ProtectionNeeds = {
  readonly platform: Platform;
  readonly directory: Directory;
  readonly agents: AgentLink;
};

/** Runs of each kind that go on at once: a test boots a machine, the others read and send. */
const PLACES: Readonly<Record<ServerRunKind, number>> = {
  replication: 2,
  "restore-test": 1,
  verification: 1,
  retention: 1,
};

/** Builds the module. Nothing runs until `start`; the evidence key is read or made then. */
export async function createProtection(needs: ProtectionNeeds): Promise<ModuleParts> {
  const { platform } = needs;
  const stopping = new AbortController();
  const key = await platform.keys.signingKey("evidence");
  const parts: ProtectionParts = {
    ...needs,
    signer: evidenceSigner(key.keyObject),
    progress: createProgressBoard(platform.live, () => platform.clock.monotonicMs()),
    stopping: stopping.signal,
  };
  const host = createMachineHost(recoveryFolder(parts), platform.clock);
  const sessions = createSessions(parts, host);
  const scheduler = createScheduler(parts);
  return {
    name: "protection",
    handlers: {
      protectionPlans: planHandlers(parts),
      deviceProtection: deviceProtectionHandlers(parts),
      vaults: vaultHandlers(parts),
      overview: overviewHandlers(parts),
      restorePoints: pointHandlers(parts),
      runs: runHandlers(parts),
      recoverySessions: sessionHandlers(parts, host, sessions),
      restoreTests: testHandlers(parts),
      evidence: evidenceHandlers(parts),
      peers: peerHandlers(parts),
      peerApi: { ...keptHandlers(parts, host), ...peerMachineHandlers(parts, host) },
    },
    rawMounts: [restMount(parts, (stored) => noticeUpload(parts, stored))],
    sockets: screenSockets(parts, host, sessions),
    agents: agentHooks(parts, ({ deviceId }) => replicateSoon(parts, deviceId)),
    authenticatePeer: (id, secret) => authenticatePeer(parts, id, secret),
    start: async () => {
      await platform.database.asSystem("make the local vault", (tx) =>
        claimLocalVault(tx, platform.clock.now()),
      );
      await closeInterruptedTests(parts);
      await resumeServerRuns(parts);
      await startWorkers(parts);
      await sessions.resume();
      scheduler.start();
    },
    stop: () => stopAll(stopping, scheduler, host),
  };
}

async function stopAll(
  stopping: AbortController,
  scheduler: ReturnType<typeof createScheduler>,
  host: MachineHost,
): Promise<void> {
  stopping.abort(new Error("the server stops"));
  await scheduler.stop();
  await host.stopAll();
}

type Work = (parts: ProtectionParts, job: RunJob, signal: AbortSignal) => ReturnType<typeof replicateDevice>;

const WORK: Readonly<Record<ServerRunKind, Work>> = {
  replication: replicateDevice,
  "restore-test": performTest,
  verification: verifyDevice,
  retention: performRetention,
};

async function startWorkers(parts: ProtectionParts): Promise<void> {
  for (const kind of ["replication", "restore-test", "verification", "retention"] as const) {
    const places = { placesMax: PLACES[kind] };
    await parts.platform.jobs.work(RUN_QUEUES[kind], places, (job, context) =>
      performRun(parts, job, context.signal, (signal) => WORK[kind](parts, job, signal)),
    );
  }
}

/** A snapshot was stored: by an agent, whose record follows, or by a plain restic client, which tells nobody else. */
function noticeUpload(parts: ProtectionParts, stored: string): void {
  const id = repositoryId.safeParse(stored);
  if (!id.success) return;
  syncPoints(parts, id.data).catch((cause: unknown) =>
    parts.platform.log(`points of repository ${stored}: ${messageOf(cause)}`),
  );
}

/** Off-site follows each backup at once; the schedule is for what failed. */
async function replicateSoon(parts: ProtectionParts, deviceId: RunJob["deviceId"]): Promise<void> {
  await parts.platform.database.asSystem("replicate a new point", async (tx) => {
    const protection = await readDeviceProtection(tx, deviceId, parts.platform.keys.wrapper);
    const plan = protection?.planId ? await readPlan(tx, protection.planId) : undefined;
    if (protection === undefined || plan === undefined || plan.replicateTo === null) return;
    await queueRun(parts, tx, "replication", { deviceId, customerId: protection.customerId });
  });
}
