/** Restore tests: queued as runs, done here or off-site, and what they proved signed into the ledger. */

import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import path from "node:path";
import {
  ApiError,
  type DeviceId,
  evidenceBody,
  type PeerRestoreTest,
  type RestoreTest,
  type RestoreTestId,
  restoreTestId,
  type RunResult,
  type VaultId,
} from "@mainstay/contract";
import { must, newUuid } from "@mainstay/kit";
import { notFound, requestErrors, scopeOf, type Tx } from "@mainstay/platform";
import { announce } from "../announce.ts";
import { protectionErrors } from "../errors.ts";
import { appendEvidence } from "../evidence/store.ts";
import { provePoint, type Proof } from "../machines/prove-point.ts";
import { waitingProbe } from "../machines/probe-specs.ts";
import { peerClient, unreachable } from "../offsite/peer-client.ts";
import { type ProtectionParts, recoveryFolder } from "../parts.ts";
import { protectionOf } from "../plans/device-protection-handlers.ts";
import { allPoints, readPoint } from "../points/point-store.ts";
import { queueRun, type RunJob } from "../runs/server-runs.ts";
import { newestUsable } from "../status/read-status.ts";
import { placePoint, type PointPlace } from "../sessions/point-place.ts";
import { readVault, vaultNames } from "../vaults/vault-store.ts";
import {
  finishTest,
  insertTest,
  interruptTest,
  listOpenTests,
  noteEvidence,
  noteTimeline,
  readTest,
  readTestOfRun,
  startTest,
} from "./test-store.ts";

/** Between two looks at a test that runs off-site. */
const FOLLOW_MS = 2000;

/** A peer that stays silent for longer has lost the test. */
const PEER_SILENT_MAX_MS = 10 * 60_000;

export type TestRequest = {
  readonly deviceId: DeviceId;
  /** Left out: the newest usable point. */
  readonly restorePointId?: string | undefined;
  /** Left out: off-site if the point is there, since that is what the fire leaves; else here. */
  readonly vaultId?: VaultId | undefined;
};

/** Queues a test; the one that is open for the device, if there is one. Rejects with `protection.point-missing`. */
export async function queueTest(parts: ProtectionParts, tx: Tx, request: TestRequest): Promise<RestoreTest> {
  const device = await parts.directory.readDevice(tx, request.deviceId);
  const names = await vaultNames(tx);
  const points = await allPoints(tx, device.id, names);
  const point =
    request.restorePointId === undefined
      ? newestUsable(points.filter((one) => one.kind === "image"))
      : await readPoint(tx, request.restorePointId, names);
  if (point === undefined || point.deviceId !== device.id)
    throw protectionErrors.error(
      "point-missing",
      `Cannot test "${device.name}": it has no such restore point of disks`,
    );
  const places = point.replicas.filter((replica) => replica.state === "present");
  const vaultId = request.vaultId ?? (places.at(-1) ?? places[0])?.vaultId;
  if (vaultId === undefined || !places.some((place) => place.vaultId === vaultId))
    throw protectionErrors.error(
      "point-missing",
      "Cannot test there: that vault does not hold the restore point",
    );
  const queued = await queueRun(parts, tx, "restore-test", {
    deviceId: device.id,
    customerId: device.customerId,
  });
  if (!queued.isNew) {
    const open = await readTestOfRun(tx, queued.runId);
    if (open !== undefined) return open;
    throw requestErrors.error(
      "conflict",
      `Cannot test "${device.name}": a test is about to begin; wait for it`,
    );
  }
  const protection = await protectionOf(parts, tx, device.id);
  const id = restoreTestId.parse(newUuid(parts.platform.clock.now()));
  const probes = protection.probes.map(waitingProbe);
  await insertTest(tx, { id, point, vaultId, runId: queued.runId }, probes, parts.platform.clock.now());
  const test = must(await readTest(tx, id), "the test was just queued");
  await announceTest(parts, tx, test);
  return test;
}

/** Does the test of a run. Its outcome, passed or failed, is a success of the run; only no outcome is a failure. */
export async function performTest(
  parts: ProtectionParts,
  job: RunJob,
  signal: AbortSignal,
): Promise<RunResult> {
  const { database, clock } = parts.platform;
  const test = await database.asSystem("begin test", async (tx) => {
    const found = await readTestOfRun(tx, job.runId);
    if (found === undefined) throw notFound("restore test of run", job.runId);
    await startTest(tx, found.id, clock.now());
    await announceTest(parts, tx, found);
    return found;
  });
  try {
    const place = await placePoint(parts, scopeOf(job.customerId), test.restorePointId, test.vaultId);
    const proof =
      place.kind === "local"
        ? await proveHere(parts, place, test, signal)
        : await proveThere(parts, place, test, signal);
    await recordProof(parts, place, test.id, proof);
    return { kind: "restore-test", restoreTestId: test.id, rtoMs: proof.rtoMs };
  } catch (cause) {
    const error = {
      code:
        cause instanceof Error && "code" in cause && typeof cause.code === "string"
          ? cause.code
          : "server.defect",
      message: cause instanceof Error ? cause.message : String(cause),
    };
    await database.asSystem("test came to nothing", async (tx) => {
      await interruptTest(tx, test.id, error, clock.now());
      await announceTest(parts, tx, test);
    });
    throw cause;
  }
}

/** At the start of the server: what a former process left open has no outcome, and is tested again by the schedule. */
export async function closeInterruptedTests(parts: ProtectionParts): Promise<void> {
  await parts.platform.database.asSystem("close interrupted tests", async (tx) => {
    for (const test of await listOpenTests(tx)) {
      const error = {
        code: "server.interrupted",
        message: "The server ended in the middle of the test; it is done again",
      };
      await interruptTest(tx, test.id, error, parts.platform.clock.now());
      await announceTest(parts, tx, test);
    }
  });
}

export function programVersions(parts: ProtectionParts): Readonly<Record<string, string>> {
  return { mainstay: parts.platform.identity.version, node: process.versions.node };
}

async function proveHere(
  parts: ProtectionParts,
  place: Extract<PointPlace, { kind: "local" }>,
  test: RestoreTest,
  signal: AbortSignal,
): Promise<Proof> {
  const protection = await parts.platform.database.asSystem("read probes", (tx) =>
    protectionOf(parts, tx, test.deviceId),
  );
  return await provePoint({
    id: test.id,
    repositoryFolder: place.folder,
    repositoryPassword: place.repository.password,
    restorePointId: test.restorePointId,
    machine: protection.machine,
    probes: protection.probes,
    folder: path.join(recoveryFolder(parts), test.id),
    bootTraces: path.join(recoveryFolder(parts), "boot-traces"),
    versions: programVersions(parts),
    onTimeline: (timeline) => {
      parts.platform.database
        .asSystem("note timeline", async (tx) => {
          await noteTimeline(tx, test.id, timeline);
          await announceTest(parts, tx, test);
        })
        .catch((cause: unknown) => parts.platform.log(`timeline of test ${test.id}: ${String(cause)}`));
    },
    signal,
  });
}

async function proveThere(
  parts: ProtectionParts,
  place: Extract<PointPlace, { kind: "offsite" }>,
  test: RestoreTest,
  signal: AbortSignal,
): Promise<Proof> {
  const { database, clock } = parts.platform;
  const protection = await database.asSystem("read probes", (tx) => protectionOf(parts, tx, test.deviceId));
  const { peerApi } = peerClient(place.peer);
  const params = { restoreTestId: test.id };
  const { machine, probes } = protection;
  const body = { repositoryId: place.repository.id, restorePointId: test.restorePointId, machine, probes };
  let view = await peerApi.startRestoreTest({ params, body }, { signal }).catch((cause: unknown) => {
    throw cause instanceof ApiError && cause.status !== 0 ? cause : unreachable(place.peer.name, cause);
  });
  let heardMs = clock.monotonicMs();
  while (view.finishedAt === null) {
    await sleep(FOLLOW_MS, undefined, { signal });
    try {
      view = await peerApi.readRestoreTest({ params }, { signal });
      heardMs = clock.monotonicMs();
      const { timeline } = view;
      await database.asSystem("note timeline", (tx) => noteTimeline(tx, test.id, timeline));
    } catch (cause) {
      const isGone = cause instanceof ApiError && cause.status === 404;
      if (isGone || clock.monotonicMs() - heardMs > PEER_SILENT_MAX_MS)
        throw unreachable(place.peer.name, cause);
    }
  }
  return await proofOf(place, view);
}

async function proofOf(
  place: Extract<PointPlace, { kind: "offsite" }>,
  view: PeerRestoreTest,
): Promise<Proof> {
  if (view.state !== "passed" && view.state !== "failed")
    throw protectionErrors.error(
      "machine-failed",
      view.error?.message ?? "The test came to no result off-site",
    );
  const { peerApi } = peerClient(place.peer);
  const picture =
    view.screenshot === "available"
      ? await peerApi.restoreTestScreenshot({ params: { restoreTestId: view.id } })
      : undefined;
  return {
    outcome: view.state,
    timeline: view.timeline,
    probes: view.probes,
    accelerator: view.accelerator,
    screenshot: picture === undefined ? null : new Uint8Array(await picture.arrayBuffer()),
    rtoMs: view.rtoMs,
    versions: view.versions,
    error: view.error,
  };
}

/** The outcome and its evidence are one transaction: there is never one without the other. */
async function recordProof(
  parts: ProtectionParts,
  place: PointPlace,
  id: RestoreTestId,
  proof: Proof,
): Promise<void> {
  const { database, clock } = parts.platform;
  await database.asSystem("record proof", async (tx) => {
    const now = clock.now();
    if (!(await finishTest(tx, id, proof, now))) return;
    const test = must(await readTest(tx, id), "the test was just finished");
    const body = await evidenceOf(parts, tx, place, test, proof);
    const { customerId, deviceId } = test;
    const content = { at: now.toISOString(), kind: "restore-test", customerId, deviceId, body };
    const record = await appendEvidence(tx, content, parts.signer);
    await noteEvidence(tx, id, record.sequence);
    await announceTest(parts, tx, test);
    await announce(parts, tx, "restore-point.changed", {
      customerId,
      deviceId,
      subjectId: test.restorePointId,
    });
    await announce(parts, tx, "evidence.appended", {
      customerId,
      deviceId,
      subjectId: String(record.sequence),
    });
  });
}

async function evidenceOf(
  parts: ProtectionParts,
  tx: Tx,
  place: PointPlace,
  test: RestoreTest,
  proof: Proof,
) {
  const device = await parts.directory.readDevice(tx, test.deviceId);
  const customer = await parts.directory.readCustomer(tx, test.customerId);
  const vault = must(await readVault(tx, test.vaultId), "a test ran in a vault");
  const { point } = place;
  return evidenceBody.parse({
    restoreTestId: test.id,
    customer: { id: customer.id, name: customer.name },
    device: { id: device.id, name: device.name },
    restorePoint: { id: point.id, takenAt: point.takenAt },
    vault: { id: vault.id, name: vault.name, kind: vault.kind },
    startedAt: must(test.startedAt, "a finished test was started"),
    finishedAt: must(test.finishedAt, "the test is finished"),
    outcome: proof.outcome,
    rtoMs: proof.rtoMs,
    accelerator: proof.accelerator,
    timeline: proof.timeline,
    probes: proof.probes,
    screenshotSha256:
      proof.screenshot === null ? null : createHash("sha256").update(proof.screenshot).digest("hex"),
    versions: proof.versions,
  });
}

async function announceTest(
  parts: ProtectionParts,
  tx: Tx,
  { id, customerId, deviceId }: Pick<RestoreTest, "id" | "customerId" | "deviceId">,
): Promise<void> {
  await announce(parts, tx, "restore-test.changed", { customerId, deviceId, subjectId: id });
}
