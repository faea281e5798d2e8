/** Machines that another Mainstay asks this one to run, out of the replicas it keeps for it. */

import path from "node:path";
import {
  type PeerId,
  type PeerRecoverySession,
  type PeerRestoreTest,
  type ProbeSpec,
  type RestorePointId,
  type RestoreTestId,
} from "@mainstay/contract";
import { contractErrors, type HandlersOf, notFound } from "@mainstay/platform";
import { findSnapshot } from "@mainstay/vault";
import { type HostedMachine, type MachineHost } from "../machines/machine-host.ts";
import { provePoint } from "../machines/prove-point.ts";
import { waitingProbe } from "../machines/probe-specs.ts";
import { type ProtectionParts, recoveryFolder } from "../parts.ts";
import { openLocalRepository } from "../repositories/local-repository.ts";
import { failureOf } from "../runs/server-runs.ts";
import { programVersions } from "../tests/run-tests.ts";
import { existingKept, keptPath } from "./kept-repositories.ts";
import type { KeptRepository } from "./peer-store.ts";

type MachineHandlers = Omit<
  HandlersOf<"peerApi">,
  "status" | "listRepositories" | "createRepository" | "listRestorePoints"
>;

/** Ended tests that can still be read. */
const TESTS_KEPT_MAX = 100;

type TestEntry = { readonly owner: PeerId; view: PeerRestoreTest; screenshot: Uint8Array | null };

const errors = contractErrors("protection");

export function peerMachineHandlers(parts: ProtectionParts, host: MachineHost): MachineHandlers {
  const tests = new Map<string, TestEntry>();
  const testOf = (owner: PeerId, id: RestoreTestId): TestEntry => {
    const entry = tests.get(id);
    if (entry?.owner !== owner) throw notFound("restore test", id);
    return entry;
  };
  return {
    listRecoverySessions: async ({ caller }) => ({ items: host.list(caller.peerId).map(sessionView) }),
    startRecoverySession: async ({ caller, params, body }) => {
      const kept = await existingKept(parts, caller.peerId, body.repositoryId);
      await refuseMissingPoint(parts, kept, body.restorePointId);
      const request = {
        id: params.recoverySessionId,
        owner: caller.peerId,
        repositoryId: kept.id,
        repositoryFolder: keptPath(parts, kept.id),
        repositoryPassword: kept.password,
        restorePointId: body.restorePointId,
        machine: body.machine,
        forwardPorts: body.forwardPorts,
      };
      return sessionView(host.start(request, () => undefined));
    },
    readRecoverySession: async ({ caller, params }) => {
      const view = host.read(caller.peerId, params.recoverySessionId);
      if (view === undefined) throw notFound("recovery session", params.recoverySessionId);
      return sessionView(view);
    },
    stopRecoverySession: async ({ caller, params }) =>
      sessionView(await host.stop(caller.peerId, params.recoverySessionId)),
    recoverySessionScreenshot: async ({ caller, params }) => ({
      body: await host.screenshot(caller.peerId, params.recoverySessionId),
    }),
    startRestoreTest: async ({ caller, params, body }) => {
      const known = tests.get(params.restoreTestId);
      if (known !== undefined) return testOf(caller.peerId, params.restoreTestId).view;
      const kept = await existingKept(parts, caller.peerId, body.repositoryId);
      await refuseMissingPoint(parts, kept, body.restorePointId);
      forgetOldest(tests);
      const view = startingTest(parts, params.restoreTestId, kept, body.restorePointId, body.probes);
      const entry: TestEntry = { owner: caller.peerId, view, screenshot: null };
      tests.set(params.restoreTestId, entry);
      void follow(parts, entry, kept, body);
      return entry.view;
    },
    readRestoreTest: async ({ caller, params }) => testOf(caller.peerId, params.restoreTestId).view,
    restoreTestScreenshot: async ({ caller, params }) => {
      const { screenshot } = testOf(caller.peerId, params.restoreTestId);
      if (screenshot === null) throw notFound("screenshot of restore test", params.restoreTestId);
      return { body: screenshot };
    },
  };
}

type TestBody = Parameters<MachineHandlers["startRestoreTest"]>[0]["body"];

/** From start to end of one test. Never rejects. */
async function follow(
  parts: ProtectionParts,
  entry: TestEntry,
  kept: KeptRepository,
  body: TestBody,
): Promise<void> {
  const change = (part: Partial<PeerRestoreTest>): void => {
    entry.view = { ...entry.view, ...part };
  };
  const now = (): string => parts.platform.clock.now().toISOString();
  try {
    const proof = await provePoint({
      id: entry.view.id,
      repositoryFolder: keptPath(parts, kept.id),
      repositoryPassword: kept.password,
      restorePointId: body.restorePointId,
      machine: body.machine,
      probes: body.probes,
      folder: path.join(recoveryFolder(parts), entry.view.id),
      bootTraces: path.join(recoveryFolder(parts), "boot-traces"),
      versions: programVersions(parts),
      onTimeline: (timeline) => change({ timeline: [...timeline] }),
      signal: parts.stopping,
    });
    entry.screenshot = proof.screenshot;
    const { outcome, timeline, probes, accelerator, rtoMs, versions, error } = proof;
    const screenshot = proof.screenshot === null ? "unavailable" : "available";
    change({
      state: outcome,
      timeline,
      probes,
      accelerator,
      rtoMs,
      versions: { ...versions },
      error,
      screenshot,
      finishedAt: now(),
    });
  } catch (cause) {
    change({ state: "interrupted", error: failureOf(cause), finishedAt: now() });
  }
}

function startingTest(
  parts: ProtectionParts,
  id: RestoreTestId,
  kept: KeptRepository,
  restorePointId: RestorePointId,
  probes: readonly ProbeSpec[],
): PeerRestoreTest {
  return {
    id,
    repositoryId: kept.id,
    restorePointId,
    state: "running",
    startedAt: parts.platform.clock.now().toISOString(),
    finishedAt: null,
    timeline: [],
    probes: probes.map(waitingProbe),
    accelerator: null,
    screenshot: "unavailable",
    rtoMs: null,
    versions: {},
    error: null,
  };
}

async function refuseMissingPoint(
  parts: ProtectionParts,
  kept: KeptRepository,
  point: RestorePointId,
): Promise<void> {
  try {
    await using repository = await openLocalRepository(keptPath(parts, kept.id), kept.password);
    await findSnapshot(repository, point);
  } catch (cause) {
    throw errors.error(
      "point-missing",
      `Cannot use restore point ${point.slice(0, 8)}: the replica here does not hold it`,
      {
        cause,
        values: { restorePointId: point },
      },
    );
  }
}

function sessionView(machine: HostedMachine): PeerRecoverySession {
  const { owner: _owner, ...view } = machine;
  return view;
}

function forgetOldest(tests: Map<string, TestEntry>): void {
  if (tests.size < TESTS_KEPT_MAX) return;
  for (const [id, { view }] of tests) if (view.finishedAt !== null) return void tests.delete(id);
}
