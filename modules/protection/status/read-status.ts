/** Reads the facts of devices and gives their protection status as the contract shows it. */

import type { Device, ProtectionPlan, ProtectionStatus, RestorePoint } from "@mainstay/contract";
import type { Tx } from "@mainstay/platform";
import { type ProtectionFacts, type ProtectionReason, protectionStatus } from "./status.ts";

type FactsRow = {
  readonly device_id: string;
  readonly newest_usable_at: Date | null;
  readonly damaged: number;
  readonly points: number;
  readonly newest_replica_at: Date | null;
  readonly test_finished_at: Date | null;
  readonly test_passed: boolean | null;
  readonly proven_at: Date | null;
  readonly proven_rto_ms: number | null;
  readonly stored_bytes: number | null;
};

export type DeviceFacts = FactsRow;

/** One row for each device that has anything recorded; by device id. */
export async function readFacts(tx: Tx): Promise<ReadonlyMap<string, DeviceFacts>> {
  const rows = await tx.query<FactsRow>(`
    with point as (
      select device_id, max(taken_at) filter (where state = 'usable') as newest_usable_at,
        (count(*) filter (where state = 'damaged'))::int as damaged, count(*)::int as points
      from protection.restore_point where dropped_at is null group by device_id
    ), offsite as (
      select point.device_id, max(point.taken_at) as newest_replica_at
      from protection.restore_point point
      join protection.replica on replica.restore_point_id = point.id and replica.state = 'present'
      join protection.device_protection followed on followed.device_id = point.device_id
      join protection.plan on plan.id = followed.plan_id and plan.replicate_to = replica.vault_id
      where point.dropped_at is null and point.state = 'usable' group by point.device_id
    ), last_test as (
      select distinct on (device_id) device_id, finished_at as test_finished_at, state = 'passed' as test_passed
      from protection.restore_test where state in ('passed', 'failed') order by device_id, happened desc
    ), proven as (
      select distinct on (device_id) device_id, finished_at as proven_at, rto_ms as proven_rto_ms
      from protection.restore_test where state = 'passed' order by device_id, happened desc
    ), stored as (
      select distinct on (device_id) device_id, size_bytes as stored_bytes from protection.repository
      order by device_id, created_at, id
    )
    select * from stored full join point using (device_id) full join offsite using (device_id)
      full join last_test using (device_id) full join proven using (device_id)`);
  return new Map(rows.map((row) => [row.device_id, row]));
}

/** The status of one device, `facts` being its row, if it has one. */
export function statusOf(
  device: Device,
  plan: ProtectionPlan | undefined,
  facts: DeviceFacts | undefined,
  now: Date,
): ProtectionStatus {
  const status = protectionStatus({ ...factsOf(device, plan, facts), now });
  return {
    verdict: status.verdict,
    reasons: status.reasons.map((code) => ({ code, text: REASON_TEXTS[code] })),
    rpoTargetMinutes: status.rpoTargetMinutes,
    rpoAttainedMinutes: status.rpoAttainedMinutes,
    newestRestorePointAt: facts?.newest_usable_at?.toISOString() ?? null,
    newestReplicaAt: facts?.newest_replica_at?.toISOString() ?? null,
    lastProvenAt: status.lastProvenAt?.toISOString() ?? null,
    rtoAttainedMs: status.rtoAttainedMs,
  };
}

/** Why a device is not protected, one sentence each. */
export const REASON_TEXTS: Readonly<Record<ProtectionReason, string>> = {
  "no-plan": "No protection plan is chosen for this device",
  "no-restore-point": "There is no usable restore point yet",
  "rpo-missed": "The newest restore point is older than the plan allows",
  "never-proven": "No recovery of this device has been proven yet",
  "proof-too-old": "The last proven recovery is too long ago",
  "last-test-failed": "The last restore test failed",
  "replica-missing": "No restore point has reached the vault off-site yet",
  "replica-late": "The newest restore point off-site is too old",
  "restore-point-damaged": "A restore point is damaged",
  "clock-behind": "Restore points lie in the future: this server's clock is behind",
};

function factsOf(
  device: Device,
  plan: ProtectionPlan | undefined,
  facts: DeviceFacts | undefined,
): Omit<ProtectionFacts, "now"> {
  return {
    plan:
      plan === undefined
        ? null
        : {
            rpoMinutes: plan.rpoMinutes,
            restoreTestEveryHours: plan.restoreTestEveryHours,
            replicates: plan.replicateTo !== null,
          },
    newestUsableAt: facts?.newest_usable_at ?? null,
    newestReplicaAt: facts?.newest_replica_at ?? null,
    lastTest: lastTestOf(facts),
    lastProven:
      facts?.proven_at === null || facts?.proven_at === undefined
        ? null
        : { at: facts.proven_at, rtoMs: facts.proven_rto_ms },
    damagedPoints: facts?.damaged ?? 0,
    agentSeenAt:
      device.agent?.lastSeenAt === undefined || device.agent.lastSeenAt === null
        ? null
        : new Date(device.agent.lastSeenAt),
  };
}

function lastTestOf(facts: DeviceFacts | undefined): ProtectionFacts["lastTest"] {
  if (facts === undefined || facts.test_finished_at === null || facts.test_passed === null) return null;
  return { finishedAt: facts.test_finished_at, passed: facts.test_passed };
}

/** Newest first: the first usable point. */
export function newestUsable(points: readonly RestorePoint[]): RestorePoint | undefined {
  return points.find((point) => point.state === "usable");
}
