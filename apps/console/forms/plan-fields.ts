/** Between a protection plan and the fields of its form. */

import type { CustomerId, ProtectionPlan, Retention, Vault, VaultId } from "@mainstay/contract";

const MIB = 1024 ** 2;

export const RETENTION_FIELDS: readonly { readonly unit: keyof Retention; readonly label: string }[] = [
  { unit: "last", label: "Last" },
  { unit: "hourly", label: "Hourly" },
  { unit: "daily", label: "Daily" },
  { unit: "weekly", label: "Weekly" },
  { unit: "monthly", label: "Monthly" },
  { unit: "yearly", label: "Yearly" },
];

export type PlanFields = {
  readonly name: string;
  readonly customerId: CustomerId | null;
  readonly rpoMinutes: number;
  readonly retention: Retention;
  readonly replicateTo: VaultId | null;
  readonly tested: boolean;
  readonly restoreTestEveryHours: number;
  /** Empty: no cap. */
  readonly bandwidthCapMib: number | "";
};

/** A new plan starts with what most servers need: an hour, off-site, proven every week. */
export function planFieldsOf(plan: ProtectionPlan | null, vaults: readonly Vault[]): PlanFields {
  const cap = plan?.bandwidthCapBytesPerSecond ?? null;
  return {
    name: plan?.name ?? "",
    customerId: plan?.customerId ?? null,
    rpoMinutes: plan?.rpoMinutes ?? 60,
    retention: plan?.retention ?? { last: 4, hourly: 24, daily: 14, weekly: 8, monthly: 12, yearly: 0 },
    replicateTo:
      plan === null ? (vaults.find((vault) => vault.kind === "mainstay")?.id ?? null) : plan.replicateTo,
    tested: plan === null || plan.restoreTestEveryHours !== null,
    restoreTestEveryHours: plan?.restoreTestEveryHours ?? 168,
    bandwidthCapMib: cap === null ? "" : cap / MIB,
  };
}

export function bodyOf(fields: PlanFields) {
  return {
    name: fields.name,
    rpoMinutes: fields.rpoMinutes,
    retention: fields.retention,
    replicateTo: fields.replicateTo,
    restoreTestEveryHours: fields.tested ? fields.restoreTestEveryHours : null,
    bandwidthCapBytesPerSecond:
      fields.bandwidthCapMib === "" ? null : Math.round(fields.bandwidthCapMib * MIB),
  };
}
