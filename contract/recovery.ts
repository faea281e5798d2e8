/** Getting back and proving it: recovery sessions, restore tests, evidence. */

import { z } from "zod";
import { customerId, deviceId, recoverySessionId, restorePointId, restoreTestId, vaultId } from "./ids.ts";
import {
  accelerator,
  failure,
  machineCounts,
  machineSettings,
  portForward,
  probeResult,
  recoveryState,
  restoreTestState,
  timelineEntry,
} from "./machine.ts";
import { route } from "./route.ts";
import { count, durationMs, instant, key32, pageOf, pageQuery, port, sha256, signature64 } from "./values.ts";

export const recoverySession = z.object({
  id: recoverySessionId,
  customerId,
  deviceId,
  restorePointId,
  /** Where it runs: the local vault's server, or the other Mainstay. */
  vaultId,
  state: recoveryState,
  accelerator: accelerator.nullable(),
  timeline: z.array(timelineEntry),
  forwards: z.array(portForward),
  /** Whether `recoverySessionScreenPath` takes a WebSocket now. */
  screen: z.enum(["available", "unavailable"]),
  counts: machineCounts.nullable(),
  startedBy: z.string(),
  startedAt: instant,
  stoppedAt: instant.nullable(),
  error: failure.nullable(),
});
export type RecoverySession = z.output<typeof recoverySession>;

/** A WebSocket that carries RFB both ways (binary frames), for noVNC. Role technician; session cookie; Origin checked. */
export function recoverySessionScreenPath(id: string): string {
  return `/api/recovery-sessions/${encodeURIComponent(id)}/screen`;
}

export const restoreTest = z.object({
  id: restoreTestId,
  customerId,
  deviceId,
  restorePointId,
  vaultId,
  state: restoreTestState,
  queuedAt: instant,
  startedAt: instant.nullable(),
  finishedAt: instant.nullable(),
  timeline: z.array(timelineEntry),
  probes: z.array(probeResult),
  accelerator: accelerator.nullable(),
  /** Path of the PNG, or null while there is none. */
  screenshot: z.string().nullable(),
  /** From asking to the last probe passed. */
  rtoMs: durationMs.nullable(),
  evidenceSequence: count.nullable(),
  error: failure.nullable(),
});
export type RestoreTest = z.output<typeof restoreTest>;

/** The body that is hashed and signed, in the canonical form of docs/formats. */
export const evidenceBody = z.object({
  restoreTestId,
  customer: z.object({ id: customerId, name: z.string() }),
  device: z.object({ id: deviceId, name: z.string() }),
  restorePoint: z.object({ id: restorePointId, takenAt: instant }),
  vault: z.object({ id: vaultId, name: z.string(), kind: z.string() }),
  startedAt: instant,
  finishedAt: instant,
  outcome: z.enum(["passed", "failed"]),
  rtoMs: durationMs.nullable(),
  accelerator: accelerator.nullable(),
  timeline: z.array(timelineEntry),
  probes: z.array(probeResult),
  screenshotSha256: sha256.nullable(),
  /** Program → version, such as mainstay, node, qemu. */
  versions: z.record(z.string(), z.string()),
});
export type EvidenceBody = z.output<typeof evidenceBody>;

export const evidenceRecord = z.object({
  /** From 1, without gaps, over all customers. */
  sequence: count,
  /** From 1, without gaps, over the records of this customer. */
  customerSequence: count,
  at: instant,
  kind: z.literal("restore-test"),
  customerId,
  deviceId,
  body: evidenceBody,
  previousHash: sha256,
  customerPreviousHash: sha256,
  hash: sha256,
  signature: signature64,
});
export type EvidenceRecord = z.output<typeof evidenceRecord>;

const sessionParams = z.object({ recoverySessionId });
const testParams = z.object({ restoreTestId });

export const recoverySessionRoutes = {
  list: route({
    method: "GET",
    path: "/api/recovery-sessions",
    summary: "Recovery sessions, newest first",
    access: "read-only",
    query: z.object({ ...pageQuery, deviceId: deviceId.optional(), state: recoveryState.optional() }),
    output: pageOf(recoverySession),
  }),
  /** Answers at once in state `starting`; follow by events or by reading it again. */
  start: route({
    method: "POST",
    path: "/api/recovery-sessions",
    summary: "Run a restore point as a virtual machine, here or off-site",
    access: "technician",
    body: z.strictObject({
      restorePointId,
      vaultId,
      machine: machineSettings.partial().optional(),
      /** Guest TCP ports made reachable on loopback of the server that runs it. */
      forwardPorts: z.array(port).max(16).default([]),
    }),
    output: recoverySession,
    errors: [
      "request.not-found",
      "protection.point-missing",
      "protection.vault-unreachable",
      "protection.no-space",
      "request.conflict",
    ],
  }),
  read: route({
    method: "GET",
    path: "/api/recovery-sessions/:recoverySessionId",
    summary: "One recovery session",
    access: "read-only",
    params: sessionParams,
    output: recoverySession,
  }),
  /** What the guest wrote is gone then. */
  stop: route({
    method: "POST",
    path: "/api/recovery-sessions/:recoverySessionId/stop",
    summary: "Stop a recovery session",
    access: "technician",
    params: sessionParams,
    output: recoverySession,
    errors: ["protection.not-running", "protection.vault-unreachable"],
  }),
  screenshot: route({
    method: "GET",
    path: "/api/recovery-sessions/:recoverySessionId/screenshot",
    summary: "The screen now, as PNG",
    access: "read-only",
    params: sessionParams,
    output: "image/png",
    errors: ["protection.not-running", "protection.vault-unreachable"],
  }),
} as const;

export const restoreTestRoutes = {
  list: route({
    method: "GET",
    path: "/api/restore-tests",
    summary: "Restore tests, newest first",
    access: "read-only",
    query: z.object({
      ...pageQuery,
      deviceId: deviceId.optional(),
      customerId: customerId.optional(),
      state: restoreTestState.optional(),
    }),
    output: pageOf(restoreTest),
  }),
  /** Left out: the newest usable point, in the vault the plan would test. */
  start: route({
    method: "POST",
    path: "/api/restore-tests",
    summary: "Test a restore point now",
    access: "technician",
    body: z.strictObject({
      deviceId,
      restorePointId: restorePointId.optional(),
      vaultId: vaultId.optional(),
    }),
    output: restoreTest,
    errors: ["request.not-found", "protection.point-missing", "request.conflict"],
  }),
  read: route({
    method: "GET",
    path: "/api/restore-tests/:restoreTestId",
    summary: "One restore test",
    access: "read-only",
    params: testParams,
    output: restoreTest,
  }),
  screenshot: route({
    method: "GET",
    path: "/api/restore-tests/:restoreTestId/screenshot",
    summary: "The photograph of a restore test, as PNG",
    access: "read-only",
    params: testParams,
    output: "image/png",
  }),
} as const;

export const evidenceRoutes = {
  list: route({
    method: "GET",
    path: "/api/evidence",
    summary: "Evidence records, newest first",
    access: "read-only",
    query: z.object({ ...pageQuery, customerId: customerId.optional(), deviceId: deviceId.optional() }),
    output: pageOf(evidenceRecord),
  }),
  /** First line is a header with the public key; then the whole chain, oldest first. For `mainstay evidence verify`. */
  export: route({
    method: "GET",
    path: "/api/evidence/export",
    summary: "The evidence ledger as JSON lines, whole or of one customer; either verifies by itself",
    access: "read-only",
    query: z.object({ customerId: customerId.optional() }),
    output: "application/x-ndjson",
  }),
  key: route({
    method: "GET",
    path: "/api/evidence/key",
    summary: "The public key that evidence is signed with",
    access: "read-only",
    output: z.object({ algorithm: z.literal("ed25519"), publicKey: key32 }),
  }),
} as const;
