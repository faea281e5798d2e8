/** The words of states and kinds, as PRODUCT.md names them; each is declared for every value of the contract. */

import type { DeviceKind, ProtectionPlan, Role, RunKind, TimelineEntry } from "@mainstay/contract";

export const ROLE_WORDS: Readonly<Record<Role, string>> = {
  owner: "Owner",
  technician: "Technician",
  "read-only": "Read-only",
};

export const DEVICE_KIND_WORDS: Readonly<Record<DeviceKind, string>> = {
  server: "Server",
  workstation: "Workstation",
  "virtual-machine": "Virtual machine",
  appliance: "Appliance",
  network: "Network element",
};

export const RUN_KIND_WORDS: Readonly<Record<RunKind, string>> = {
  backup: "Backup",
  replication: "Replication",
  "restore-test": "Restore test",
  verification: "Verification",
  retention: "Retention",
};

export const STAGE_WORDS: Readonly<
  Record<TimelineEntry["stage"], { readonly name: string; readonly meaning: string }>
> = {
  located: { name: "Located", meaning: "The restore point was found and its index read" },
  served: { name: "Served", meaning: "Its disks are offered as block devices" },
  "first-block": { name: "First block", meaning: "The machine read its first block" },
  firmware: { name: "Firmware", meaning: "The machine's firmware found something to start" },
  login: { name: "Login", meaning: "The operating system is up" },
  service: { name: "Service", meaning: "The first service answered" },
  "probe-passed": { name: "Probes passed", meaning: "Every probe got the answer it wanted" },
};

const RETENTION_UNITS = ["last", "hourly", "daily", "weekly", "monthly", "yearly"] as const;

/** `24 hourly, 14 daily, 6 monthly`. */
export function retentionWords(retention: ProtectionPlan["retention"]): string {
  const parts = RETENTION_UNITS.filter((unit) => retention[unit] > 0).map((unit) =>
    unit === "last" ? `the last ${retention.last}` : `${retention[unit]} ${unit}`,
  );
  return parts.length === 0 ? "Only the newest proven one" : parts.join(", ");
}
