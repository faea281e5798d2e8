/** What happened and what is true now: runs, restore points, the verdict on each device, the overview page. */

import { z } from "zod";
import { customer, device, site } from "./directory.ts";
import {
  customerId,
  deviceId,
  protectionPlanId,
  restorePointId,
  restoreTestId,
  runId,
  vaultId,
} from "./ids.ts";
import { failure } from "./machine.ts";
import { route } from "./route.ts";
import { count, durationMs, instant, pageOf, pageQuery, sizeBytes } from "./values.ts";

export const runKinds = ["backup", "replication", "restore-test", "verification", "retention"] as const;
export const runKind = z.enum(runKinds);
export type RunKind = z.output<typeof runKind>;
export const runState = z.enum(["queued", "running", "succeeded", "failed", "interrupted"]);
export type RunState = z.output<typeof runState>;

export const runProgress = z.object({
  /** A few words: `reading sda`, `sending packs`. */
  phase: z.string().max(100),
  doneBytes: sizeBytes,
  totalBytes: sizeBytes,
  bytesPerSecond: z.number().nonnegative(),
  remainingMs: durationMs.nullable(),
});
export type RunProgress = z.output<typeof runProgress>;

export const runResult = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("backup"),
    restorePointId,
    mode: z.enum(["full", "incremental"]),
    readBytes: sizeBytes,
    addedBytes: sizeBytes,
    sentBytes: sizeBytes.optional(),
  }),
  z.object({ kind: z.literal("replication"), restorePointId, vaultId, sentBytes: sizeBytes, packs: count }),
  z.object({ kind: z.literal("restore-test"), restoreTestId, rtoMs: durationMs.nullable() }),
  z.object({ kind: z.literal("verification"), readBytes: sizeBytes, damagedPoints: count }),
  z.object({ kind: z.literal("retention"), removedPoints: count, freedBytes: sizeBytes }),
]);
export type RunResult = z.output<typeof runResult>;

export const run = z.object({
  id: runId,
  customerId,
  deviceId,
  kind: runKind,
  state: runState,
  queuedAt: instant,
  startedAt: instant.nullable(),
  finishedAt: instant.nullable(),
  /** Only while running. */
  progress: runProgress.nullable(),
  result: runResult.nullable(),
  error: failure.nullable(),
});
export type Run = z.output<typeof run>;

export const replica = z.object({
  vaultId,
  vaultName: z.string(),
  state: z.enum(["present", "copying", "missing"]),
  at: instant.nullable(),
});
export type Replica = z.output<typeof replica>;

export const restorePoint = z.object({
  id: restorePointId,
  customerId,
  deviceId,
  takenAt: instant,
  kind: z.enum(["image", "files"]),
  disks: z.array(z.object({ name: z.string(), sizeBytes })),
  /** null: not measured, such as a point that a plain restic client made. */
  readBytes: sizeBytes.nullable(),
  addedBytes: sizeBytes.nullable(),
  durationMs: durationMs.nullable(),
  state: z.enum(["usable", "damaged"]),
  /** The newest restore test of exactly this point that passed, or null: not proven. */
  proven: z.object({ restoreTestId, at: instant, rtoMs: durationMs }).nullable(),
  /** Every vault that holds or should hold this point, the local one included. */
  replicas: z.array(replica),
});
export type RestorePoint = z.output<typeof restorePoint>;

export const verdicts = ["protected", "at-risk", "not-protected", "not-measured"] as const;
export const verdict = z.enum(verdicts);
export type Verdict = z.output<typeof verdict>;

/** A pure function of recorded facts. Null always means "not measured" and is never shown as good. */
export const protectionStatus = z.object({
  verdict,
  /** Why it is not `protected`, one sentence each, worst first; empty when it is. */
  reasons: z.array(z.object({ code: z.string(), text: z.string() })),
  rpoTargetMinutes: count.nullable(),
  /** Age of the newest usable restore point. */
  rpoAttainedMinutes: z.number().nonnegative().nullable(),
  newestRestorePointAt: instant.nullable(),
  /** Newest point that the off-site vault holds; null also when nothing is to be replicated. */
  newestReplicaAt: instant.nullable(),
  lastProvenAt: instant.nullable(),
  /** Measured time of the last proven recovery. */
  rtoAttainedMs: durationMs.nullable(),
});
export type ProtectionStatus = z.output<typeof protectionStatus>;

export const deviceOverview = z.object({
  device,
  site: site.pick({ id: true, name: true, timeZone: true }),
  plan: z.object({ id: protectionPlanId, name: z.string() }).nullable(),
  protection: protectionStatus,
  /** Queued and running ones. */
  activeRuns: z.array(run),
  restorePoints: count,
  storedBytes: sizeBytes.nullable(),
});
export type DeviceOverview = z.output<typeof deviceOverview>;

export const verdictCounts = z.object({
  protected: count,
  "at-risk": count,
  "not-protected": count,
  "not-measured": count,
});

export const overview = z.object({
  at: instant,
  devices: verdictCounts,
  customers: z.array(z.object({ customer, devices: z.array(deviceOverview), verdicts: verdictCounts })),
});
export type Overview = z.output<typeof overview>;

const deviceParams = z.object({ deviceId });
const runParams = z.object({ runId });

export const overviewRoutes = {
  read: route({
    method: "GET",
    path: "/api/overview",
    summary: "All customers and devices with their verdicts, in one call",
    access: "read-only",
    query: z.object({ customerId: customerId.optional() }),
    output: overview,
  }),
  device: route({
    method: "GET",
    path: "/api/devices/:deviceId/overview",
    summary: "One device with verdict, plan and active runs",
    access: "read-only",
    params: deviceParams,
    output: deviceOverview,
  }),
} as const;

export const restorePointRoutes = {
  list: route({
    method: "GET",
    path: "/api/restore-points",
    summary: "Restore points of a device, newest first",
    access: "read-only",
    query: z.object({ ...pageQuery, deviceId }),
    output: pageOf(restorePoint),
    errors: ["request.not-found"],
  }),
  read: route({
    method: "GET",
    path: "/api/restore-points/:restorePointId",
    summary: "One restore point",
    access: "read-only",
    params: z.object({ restorePointId }),
    output: restorePoint,
  }),
} as const;

export const runRoutes = {
  list: route({
    method: "GET",
    path: "/api/runs",
    summary: "Runs, newest first",
    access: "read-only",
    query: z.object({
      ...pageQuery,
      deviceId: deviceId.optional(),
      customerId: customerId.optional(),
      kind: runKind.optional(),
      state: runState.optional(),
    }),
    output: pageOf(run),
  }),
  read: route({
    method: "GET",
    path: "/api/runs/:runId",
    summary: "One run",
    access: "read-only",
    params: runParams,
    output: run,
  }),
  /** Restore tests are started at /api/restore-tests. A run of that kind already queued or running is answered instead of a second. */
  start: route({
    method: "POST",
    path: "/api/devices/:deviceId/runs",
    summary: "Start a backup, replication or verification now",
    access: "technician",
    params: deviceParams,
    body: z.strictObject({ kind: z.enum(["backup", "replication", "verification"]) }),
    output: run,
    errors: ["protection.agent-away", "protection.no-plan", "request.conflict"],
  }),
  cancel: route({
    method: "POST",
    path: "/api/runs/:runId/cancel",
    summary: "Stop a run",
    access: "technician",
    params: runParams,
    output: run,
    errors: ["protection.not-running"],
  }),
} as const;
