/** Green is only what was backed up in time, taken off-site as planned, and proven recently. */

import { describe, expect, test } from "vitest";
import {
  type ProtectionFacts,
  type ProtectionReason,
  protectionStatus,
  type ProtectionVerdict,
} from "./status.ts";

const now = new Date("2026-06-15T12:00:00Z");
const before = (minutes: number): Date => new Date(now.getTime() - minutes * 60_000);
const HOUR = 60;

/** Everything as it should be: an hour of RPO, a weekly test, a replica. */
const good: ProtectionFacts = {
  now,
  plan: { rpoMinutes: HOUR, restoreTestEveryHours: 168, replicates: true },
  newestUsableAt: before(30),
  newestReplicaAt: before(30),
  lastTest: { finishedAt: before(24 * HOUR), passed: true },
  lastProven: { at: before(24 * HOUR), rtoMs: 42_000 },
  damagedPoints: 0,
  agentSeenAt: before(1),
};

test("what is backed up, off-site and proven in time is protected", () => {
  expect(protectionStatus(good)).toEqual({
    rpoTargetMinutes: 60,
    rpoAttainedMinutes: 30,
    lastProvenAt: before(24 * HOUR),
    rtoAttainedMs: 42_000,
    verdict: "protected",
    reasons: [],
  });
});

type Case = readonly [string, Partial<ProtectionFacts>, ProtectionVerdict, readonly ProtectionReason[]];
const cases: readonly Case[] = [
  ["without a plan", { plan: null }, "not-protected", ["no-plan"]],
  ["with no restore point", { newestUsableAt: null }, "not-protected", ["no-restore-point"]],
  ["never tested", { lastProven: null, lastTest: null }, "not-measured", ["never-proven"]],
  ["a point just within the tolerance", { newestUsableAt: before(90) }, "protected", []],
  ["a point beyond the tolerance", { newestUsableAt: before(91) }, "at-risk", ["rpo-missed"]],
  [
    "the last test failed",
    { lastTest: { finishedAt: before(5), passed: false } },
    "at-risk",
    ["last-test-failed"],
  ],
  [
    "the only test failed",
    { lastProven: null, lastTest: { finishedAt: before(5), passed: false } },
    "at-risk",
    ["last-test-failed", "never-proven"],
  ],
  [
    "the proof is older than twice the interval",
    { lastProven: { at: before(337 * HOUR), rtoMs: 1 } },
    "at-risk",
    ["proof-too-old"],
  ],
  ["no replica yet", { newestReplicaAt: null }, "at-risk", ["replica-missing"]],
  ["the replica lags", { newestReplicaAt: before(181) }, "at-risk", ["replica-late"]],
  ["a damaged point", { damagedPoints: 1 }, "at-risk", ["restore-point-damaged"]],
  [
    "a point from tomorrow",
    { newestUsableAt: before(-24 * HOUR), newestReplicaAt: before(-24 * HOUR) },
    "not-measured",
    ["clock-behind"],
  ],
];

test.each(cases)("%s: %s", (_name, facts, verdict, reasons) => {
  expect(protectionStatus({ ...good, ...facts })).toMatchObject({ verdict, reasons });
});

describe("not measured", () => {
  test("is null, not zero", () => {
    const status = protectionStatus({ ...good, newestUsableAt: null, lastProven: null });
    expect(status).toMatchObject({ rpoAttainedMinutes: null, lastProvenAt: null, rtoAttainedMs: null });
  });

  test("covers an age that a wrong clock would make negative", () => {
    expect(protectionStatus({ ...good, newestUsableAt: before(-600) }).rpoAttainedMinutes).toBeNull();
  });
});

test("a plan that neither replicates nor tests still wants a proof within 30 days", () => {
  const plan = { rpoMinutes: HOUR, restoreTestEveryHours: null, replicates: false };
  const old = { at: before(31 * 24 * HOUR), rtoMs: null };
  expect(protectionStatus({ ...good, plan, newestReplicaAt: null }).verdict).toBe("protected");
  expect(protectionStatus({ ...good, plan, lastProven: old }).reasons).toEqual(["proof-too-old"]);
});
