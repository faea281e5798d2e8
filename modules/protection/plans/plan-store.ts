/** Protection plans in the database. */

import {
  type CustomerId,
  type DeviceId,
  type ProtectionPlan,
  type ProtectionPlanId,
  protectionPlan,
  type VaultId,
} from "@mainstay/contract";
import { type Page, pageAfter, pageFrom, pageLimit, type PageRequest, type Tx } from "@mainstay/platform";

/** What a plan promises, without its identity. */
export type PlanContent = Pick<
  ProtectionPlan,
  "name" | "rpoMinutes" | "retention" | "replicateTo" | "restoreTestEveryHours" | "bandwidthCapBytesPerSecond"
>;

type PlanRow = {
  readonly id: string;
  readonly customer_id: CustomerId | null;
  readonly name: string;
  readonly rpo_minutes: number;
  readonly retention: unknown;
  readonly replicate_to: VaultId | null;
  readonly restore_test_every_hours: number | null;
  readonly bandwidth_cap_bytes_per_second: number | null;
  readonly created_at: Date;
  readonly devices: number;
};

const SELECT = `select plan.*, (select count(*)::int from protection.device_protection used
  where used.plan_id = plan.id) as devices from protection.plan`;

/** By name; `customerId` lists those that this customer may follow, its own and the provider's. */
export async function listPlans(
  tx: Tx,
  customerId: CustomerId | undefined,
  request: PageRequest,
): Promise<Page<ProtectionPlan>> {
  const limit = pageLimit(request);
  const after = pageAfter(request);
  const rows = await tx.query<PlanRow>(
    `${SELECT} where ($1::uuid is null or plan.customer_id = $1 or plan.customer_id is null)
       and ($2::text is null or (plan.name, plan.id) > ($2, $3::uuid))
     order by plan.name, plan.id limit $4`,
    [customerId ?? null, after?.[0] ?? null, after?.[1] ?? null, limit + 1],
  );
  return pageFrom(rows, limit, planOf, (row) => [row.name, row.id]);
}

export async function readPlan(tx: Tx, id: string): Promise<ProtectionPlan | undefined> {
  const [row] = await tx.query<PlanRow>(`${SELECT} where plan.id = $1`, [id]);
  return row === undefined ? undefined : planOf(row);
}

/** Whether another plan of the same owner has the name. */
export async function isPlanNameTaken(
  tx: Tx,
  customerId: CustomerId | null,
  name: string,
  besides: string | null,
): Promise<boolean> {
  const rows = await tx.query(
    `select 1 from protection.plan where customer_id is not distinct from $1::uuid and name = $2
       and ($3::uuid is null or id <> $3)`,
    [customerId, name, besides],
  );
  return rows.length > 0;
}

export async function insertPlan(
  tx: Tx,
  id: ProtectionPlanId,
  customerId: CustomerId | null,
  plan: PlanContent,
  createdAt: Date,
): Promise<void> {
  await tx.query(
    `insert into protection.plan (id, customer_id, name, rpo_minutes, retention, replicate_to, restore_test_every_hours,
       bandwidth_cap_bytes_per_second, created_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
    [id, customerId, ...contentValues(plan), createdAt],
  );
}

export async function updatePlan(tx: Tx, id: ProtectionPlanId, plan: PlanContent): Promise<void> {
  await tx.query(
    `update protection.plan set name = $2, rpo_minutes = $3, retention = $4, replicate_to = $5,
       restore_test_every_hours = $6, bandwidth_cap_bytes_per_second = $7 where id = $1`,
    [id, ...contentValues(plan)],
  );
}

export async function deletePlan(tx: Tx, id: ProtectionPlanId): Promise<void> {
  await tx.query("delete from protection.plan where id = $1", [id]);
}

/** Devices that follow the plan. */
export async function devicesOfPlan(tx: Tx, id: ProtectionPlanId): Promise<readonly DeviceId[]> {
  const rows = await tx.query<{ readonly device_id: DeviceId }>(
    "select device_id from protection.device_protection where plan_id = $1",
    [id],
  );
  return rows.map((row) => row.device_id);
}

function contentValues(plan: PlanContent): readonly unknown[] {
  return [
    plan.name,
    plan.rpoMinutes,
    JSON.stringify(plan.retention),
    plan.replicateTo,
    plan.restoreTestEveryHours,
    plan.bandwidthCapBytesPerSecond,
  ];
}

function planOf(row: PlanRow): ProtectionPlan {
  return protectionPlan.parse({
    id: row.id,
    customerId: row.customer_id,
    name: row.name,
    rpoMinutes: row.rpo_minutes,
    retention: row.retention,
    replicateTo: row.replicate_to,
    restoreTestEveryHours: row.restore_test_every_hours,
    bandwidthCapBytesPerSecond: row.bandwidth_cap_bytes_per_second,
    devices: row.devices,
    createdAt: row.created_at.toISOString(),
  });
}
