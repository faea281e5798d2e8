/** A recovered machine: how it is started, what is asked of it, and what was seen when. Shared by console, peer and evidence. */

import { z } from "zod";
import { count, displayName, durationMs, port } from "./values.ts";

/** What QEMU gives the machine. Absent on a device: taken from its facts, within limits. */
export const machineSettings = z.object({
  memoryBytes: z
    .number()
    .int()
    .min(128 * 1024 * 1024),
  processors: z.number().int().min(1).max(64),
  /** `firmware` boots as the disk says; `direct-kernel` is faster where the image allows it. */
  start: z.enum(["firmware", "direct-kernel"]).default("firmware"),
  /** How long a restore test waits for its probes. */
  patienceSeconds: z.number().int().min(10).max(3600).default(600),
});
export type MachineSettings = z.output<typeof machineSettings>;

const probeName = { name: displayName };

/** A question to the recovered machine. `name` is unique on its device. */
export const probeSpec = z.discriminatedUnion("kind", [
  z.object({ ...probeName, kind: z.literal("tcp"), port }),
  z.object({
    ...probeName,
    kind: z.literal("http"),
    port,
    scheme: z.enum(["http", "https"]).default("http"),
    path: z.string().startsWith("/").max(2000).default("/"),
    expectedStatus: z.number().int().min(100).max(599).default(200),
    expectedText: z.string().max(2000).optional(),
  }),
  z.object({
    ...probeName,
    kind: z.literal("sql"),
    engine: z.enum(["postgresql", "mysql", "sqlserver"]),
    port,
    database: z.string().min(1).max(200),
    user: z.string().min(1).max(200),
    /** Write-only: never answered; left out on a change, the stored one of the probe with this name stays. */
    password: z.string().max(500).optional(),
    query: z.string().min(1).max(10_000),
    /** First column of the first row, as text. Left out: any answer passes. */
    expectedAnswer: z.string().max(10_000).optional(),
  }),
  z.object({ ...probeName, kind: z.literal("screen-text"), text: z.string().min(1).max(500) }),
  z.object({
    ...probeName,
    kind: z.literal("guest-command"),
    command: z.string().min(1).max(1000),
    arguments: z.array(z.string().max(1000)).max(50).default([]),
    expectedOutput: z.string().max(10_000).optional(),
  }),
]);
export type ProbeSpec = z.output<typeof probeSpec>;

export const probeResult = z.object({
  name: z.string(),
  kind: z.string(),
  state: z.enum(["waiting", "passed", "failed"]),
  /** What the machine answered, capped. */
  answer: z.string().nullable(),
  tookMs: durationMs.nullable(),
});
export type ProbeResult = z.output<typeof probeResult>;

export const timelineStages = [
  "located",
  "served",
  "first-block",
  "firmware",
  "login",
  "service",
  "probe-passed",
] as const;
export const timelineEntry = z.object({
  stage: z.enum(timelineStages),
  /** Since the recovery was asked for. */
  atMs: durationMs,
  /** Such as the name of the probe. */
  detail: z.string().optional(),
});
export type TimelineEntry = z.output<typeof timelineEntry>;

export const accelerator = z.enum(["kvm", "tcg"]);
export const recoveryState = z.enum(["starting", "running", "stopping", "stopped", "failed"]);
export const restoreTestState = z.enum(["queued", "running", "passed", "failed", "interrupted"]);

/** A guest port that can be reached on `address` (host:port) of the machine that runs the session. */
export const portForward = z.object({ guestPort: port, address: z.string() });

export const failure = z.object({ code: z.string(), message: z.string() });

export const machineCounts = z.object({
  /** Bytes the guest wrote into the overlay; the repository is never touched. */
  writtenBytes: count,
  readBytes: count,
});
