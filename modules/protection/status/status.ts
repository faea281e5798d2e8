/** How well a device is protected: a pure function of recorded facts. What was not measured is never good. */

export type ProtectionFacts = {
  readonly now: Date;
  /** `null`: the device has no protection plan. */
  readonly plan: {
    readonly rpoMinutes: number;
    readonly restoreTestEveryHours: number | null;
    readonly replicates: boolean;
  } | null;
  /** Of the newest usable restore point, by the server's clock. */
  readonly newestUsableAt: Date | null;
  /** Of the newest usable restore point that lies whole in the vault off-site. */
  readonly newestReplicaAt: Date | null;
  readonly lastTest: {
    readonly finishedAt: Date;
    readonly passed: boolean;
  } | null;
  /** The last test that passed: its end, and the time it took to the last probe. */
  readonly lastProven: { readonly at: Date; readonly rtoMs: number | null } | null;
  readonly damagedPoints: number;
  /** When the agent was last heard of; `null`: never. */
  readonly agentSeenAt: Date | null;
};

export type ProtectionVerdict = "protected" | "at-risk" | "not-protected" | "not-measured";

export type ProtectionReason =
  | "no-plan"
  | "no-restore-point"
  | "rpo-missed"
  | "never-proven"
  | "proof-too-old"
  | "last-test-failed"
  | "replica-missing"
  | "replica-late"
  | "restore-point-damaged"
  | "clock-behind";

export type ProtectionStatus = {
  readonly rpoTargetMinutes: number | null;
  /** Age of the newest usable restore point, rounded up; `null`: not measured. */
  readonly rpoAttainedMinutes: number | null;
  readonly lastProvenAt: Date | null;
  readonly rtoAttainedMs: number | null;
  readonly verdict: ProtectionVerdict;
  /** Worst first; empty only if protected. */
  readonly reasons: readonly ProtectionReason[];
};

/** The plan's target is missed only after a backup had time to run: half of the target again. */
export const RPO_TOLERANCE = 1.5;

/** A proof is too old after this many times the plan's interval between tests. */
export const PROOF_TOLERANCE = 2;

/** When the plan sets no interval, a proof older than this many days is none. */
export const PROOF_AGE_DAYS_MAX = 30;

/** Off-site may lag by this many times the target. */
export const REPLICA_TOLERANCE = 3;

/** A restore point may be younger than now by so much before the clock is held to be wrong. */
const CLOCK_TOLERANCE_MS = 5 * 60_000;

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** The status at `facts.now`. */
export function protectionStatus(facts: ProtectionFacts): ProtectionStatus {
  const reasons = reasonsOf(facts);
  return {
    rpoTargetMinutes: facts.plan?.rpoMinutes ?? null,
    rpoAttainedMinutes: attainedMinutes(facts),
    lastProvenAt: facts.lastProven?.at ?? null,
    rtoAttainedMs: facts.lastProven?.rtoMs ?? null,
    verdict: verdictOf(reasons),
    reasons,
  };
}

function reasonsOf(facts: ProtectionFacts): readonly ProtectionReason[] {
  const { plan, newestUsableAt, now } = facts;
  if (plan === null) return ["no-plan"];
  if (newestUsableAt === null) return ["no-restore-point"];
  const reasons: ProtectionReason[] = [];
  const ageMs = now.getTime() - newestUsableAt.getTime();
  if (ageMs < -CLOCK_TOLERANCE_MS) reasons.push("clock-behind");
  if (ageMs > plan.rpoMinutes * MINUTE_MS * RPO_TOLERANCE) reasons.push("rpo-missed");
  reasons.push(...proofReasons(facts, plan.restoreTestEveryHours));
  if (plan.replicates) reasons.push(...replicaReasons(facts, plan.rpoMinutes));
  if (facts.damagedPoints > 0) reasons.push("restore-point-damaged");
  return reasons;
}

function proofReasons(facts: ProtectionFacts, everyHours: number | null): readonly ProtectionReason[] {
  const { lastProven, lastTest, now } = facts;
  const reasons: ProtectionReason[] = [];
  if (lastTest !== null && !lastTest.passed) reasons.push("last-test-failed");
  if (lastProven === null) return [...reasons, "never-proven"];
  const ageMaxMs =
    everyHours === null ? PROOF_AGE_DAYS_MAX * 24 * HOUR_MS : everyHours * HOUR_MS * PROOF_TOLERANCE;
  if (now.getTime() - lastProven.at.getTime() > ageMaxMs) reasons.push("proof-too-old");
  return reasons;
}

function replicaReasons(facts: ProtectionFacts, rpoMinutes: number): readonly ProtectionReason[] {
  const { newestReplicaAt, now } = facts;
  if (newestReplicaAt === null) return ["replica-missing"];
  const ageMs = now.getTime() - newestReplicaAt.getTime();
  return ageMs > rpoMinutes * MINUTE_MS * REPLICA_TOLERANCE ? ["replica-late"] : [];
}

/**
 * Without a plan or a restore point nothing could be recovered. Never tested, or a clock that cannot be right: we do not
 * know. Anything else that is wrong: at risk.
 */
function verdictOf(reasons: readonly ProtectionReason[]): ProtectionVerdict {
  if (reasons.length === 0) return "protected";
  if (reasons.includes("no-plan") || reasons.includes("no-restore-point")) return "not-protected";
  if (reasons.every((reason) => reason === "never-proven" || reason === "clock-behind"))
    return "not-measured";
  return "at-risk";
}

function attainedMinutes({ now, newestUsableAt }: ProtectionFacts): number | null {
  if (newestUsableAt === null) return null;
  const ageMs = now.getTime() - newestUsableAt.getTime();
  // A restore point from the future says nothing about its age.
  return ageMs < -CLOCK_TOLERANCE_MS ? null : Math.max(0, Math.ceil(ageMs / MINUTE_MS));
}
