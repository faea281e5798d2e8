/** Two Mainstays: the invitation one gives, and what the other may then ask of it. */

import { z } from "zod";
import { peerId, recoverySessionId, repositoryId, restorePointId, restoreTestId } from "./ids.ts";
import {
  accelerator,
  failure,
  machineCounts,
  machineSettings,
  portForward,
  probeResult,
  probeSpec,
  recoveryState,
  restoreTestState,
  timelineEntry,
} from "./machine.ts";
import { route } from "./route.ts";
import { count, displayName, durationMs, instant, port, sizeBytes } from "./values.ts";

export const peer = z.object({
  id: peerId,
  name: z.string(),
  state: z.enum(["invited", "active", "revoked"]),
  lastSeenAt: instant.nullable(),
  repositories: count,
  usedBytes: sizeBytes.nullable(),
  createdAt: instant,
});
export type Peer = z.output<typeof peer>;

/** What the console of the keeping side shows and does. */
export const peerRoutes = {
  list: route({
    method: "GET",
    path: "/api/peers",
    summary: "Other Mainstays that may keep replicas here",
    access: "owner",
    output: z.object({ items: z.array(peer) }),
  }),
  /** `text` (`msp1.…`) is shown once: paste it at the other Mainstay under Vaults. */
  invite: route({
    method: "POST",
    path: "/api/peers",
    summary: "Invite another Mainstay to keep replicas here",
    access: "owner",
    body: z.strictObject({ name: displayName }),
    output: z.object({ peer, text: z.string() }),
    errors: ["request.conflict"],
  }),
  revoke: route({
    method: "POST",
    path: "/api/peers/:peerId/revoke",
    summary: "Take a peer's access away; its replicas stay",
    access: "owner",
    params: z.object({ peerId }),
    output: peer,
  }),
} as const;

export const peerRepository = z.object({
  repositoryId,
  deviceName: z.string(),
  customerName: z.string(),
  sizeBytes,
  restorePoints: count,
});
export type PeerRepository = z.output<typeof peerRepository>;

export const peerRecoverySession = z.object({
  id: recoverySessionId,
  repositoryId,
  restorePointId,
  state: recoveryState,
  accelerator: accelerator.nullable(),
  timeline: z.array(timelineEntry),
  forwards: z.array(portForward),
  screen: z.enum(["available", "unavailable"]),
  counts: machineCounts.nullable(),
  startedAt: instant,
  stoppedAt: instant.nullable(),
  error: failure.nullable(),
});
export type PeerRecoverySession = z.output<typeof peerRecoverySession>;

export const peerRestoreTest = z.object({
  id: restoreTestId,
  repositoryId,
  restorePointId,
  state: restoreTestState,
  startedAt: instant.nullable(),
  finishedAt: instant.nullable(),
  timeline: z.array(timelineEntry),
  probes: z.array(probeResult),
  accelerator: accelerator.nullable(),
  screenshot: z.enum(["available", "unavailable"]),
  rtoMs: durationMs.nullable(),
  versions: z.record(z.string(), z.string()),
  error: failure.nullable(),
});
export type PeerRestoreTest = z.output<typeof peerRestoreTest>;

const sessionParams = z.object({ recoverySessionId });
const testParams = z.object({ restoreTestId });
/** The asking side chooses the id, so that a repeated request starts nothing twice. */
const machineRequest = { repositoryId, restorePointId, machine: machineSettings };

/** Asked by the other Mainstay with `Authorization: Bearer PEER_ID.SECRET`; the same pair is HTTP basic at /restic/ID/, append-only. */
export const peerApiRoutes = {
  status: route({
    method: "GET",
    path: "/peer/status",
    summary: "Name, version and space of this Mainstay",
    access: "peer",
    output: z.object({
      name: z.string(),
      version: z.string(),
      usedBytes: sizeBytes,
      freeBytes: sizeBytes,
      accelerator: accelerator.nullable(),
    }),
  }),
  listRepositories: route({
    method: "GET",
    path: "/peer/repositories",
    summary: "Repositories kept for this peer",
    access: "peer",
    output: z.object({ items: z.array(peerRepository) }),
  }),
  /** May be called again with the same id: changes names and password only. */
  createRepository: route({
    method: "PUT",
    path: "/peer/repositories/:repositoryId",
    summary: "Make room for a replica",
    access: "peer",
    params: z.object({ repositoryId }),
    body: z.strictObject({
      deviceName: displayName,
      customerName: displayName,
      password: z.string().min(16).max(500),
    }),
    output: peerRepository,
    errors: ["request.conflict", "protection.no-space"],
  }),
  listRestorePoints: route({
    method: "GET",
    path: "/peer/repositories/:repositoryId/restore-points",
    summary: "Restore points that the replica holds",
    access: "peer",
    params: z.object({ repositoryId }),
    output: z.object({ items: z.array(z.object({ id: restorePointId, takenAt: instant })) }),
  }),
  listRecoverySessions: route({
    method: "GET",
    path: "/peer/recovery-sessions",
    summary: "Recovery sessions that run here for this peer",
    access: "peer",
    output: z.object({ items: z.array(peerRecoverySession) }),
  }),
  startRecoverySession: route({
    method: "PUT",
    path: "/peer/recovery-sessions/:recoverySessionId",
    summary: "Run a restore point here",
    access: "peer",
    params: sessionParams,
    body: z.strictObject({ ...machineRequest, forwardPorts: z.array(port).max(16).default([]) }),
    output: peerRecoverySession,
    errors: ["protection.point-missing", "protection.no-space"],
  }),
  readRecoverySession: route({
    method: "GET",
    path: "/peer/recovery-sessions/:recoverySessionId",
    summary: "One recovery session here",
    access: "peer",
    params: sessionParams,
    output: peerRecoverySession,
  }),
  stopRecoverySession: route({
    method: "POST",
    path: "/peer/recovery-sessions/:recoverySessionId/stop",
    summary: "Stop a recovery session here",
    access: "peer",
    params: sessionParams,
    output: peerRecoverySession,
    errors: ["protection.not-running"],
  }),
  recoverySessionScreenshot: route({
    method: "GET",
    path: "/peer/recovery-sessions/:recoverySessionId/screenshot",
    summary: "The screen now, as PNG",
    access: "peer",
    params: sessionParams,
    output: "image/png",
    errors: ["protection.not-running"],
  }),
  startRestoreTest: route({
    method: "PUT",
    path: "/peer/restore-tests/:restoreTestId",
    summary: "Test a restore point here",
    access: "peer",
    params: testParams,
    body: z.strictObject({ ...machineRequest, probes: z.array(probeSpec).max(32) }),
    output: peerRestoreTest,
    errors: ["protection.point-missing", "protection.no-space"],
  }),
  readRestoreTest: route({
    method: "GET",
    path: "/peer/restore-tests/:restoreTestId",
    summary: "One restore test here",
    access: "peer",
    params: testParams,
    output: peerRestoreTest,
  }),
  restoreTestScreenshot: route({
    method: "GET",
    path: "/peer/restore-tests/:restoreTestId/screenshot",
    summary: "The photograph of a restore test, as PNG",
    access: "peer",
    params: testParams,
    output: "image/png",
  }),
} as const;

/** WebSocket of RFB, as `recoverySessionScreenPath`, with the bearer token. */
export function peerScreenPath(id: string): string {
  return `/peer/recovery-sessions/${encodeURIComponent(id)}/screen`;
}
