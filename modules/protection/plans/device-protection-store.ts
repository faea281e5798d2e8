/** What each device is protected by: plan, sources, probes, machine. Passwords of probes are wrapped. */

import {
  type CustomerId,
  type DeviceId,
  type DeviceProtection,
  deviceProtection,
  machineSettings,
  type ProbeSpec,
} from "@mainstay/contract";
import type { Tx, Wrapper } from "@mainstay/platform";
import * as z from "zod";

/** Enough for a small server to come up in; a device's own settings say better. */
export const MACHINE_DEFAULT = machineSettings.parse({
  memoryBytes: 2 * 1024 * 1024 * 1024,
  processors: 2,
});

/** As stored: probes carry their passwords. */
export type StoredProtection = DeviceProtection & { readonly customerId: CustomerId };

type ProtectionRow = {
  readonly device_id: string;
  readonly customer_id: CustomerId;
  readonly plan_id: string | null;
  readonly sources: unknown;
  readonly probes: unknown;
  readonly probe_secrets: Buffer | null;
  readonly machine: unknown;
};

const secretsSchema = z.record(z.string(), z.string());

/** `undefined`: nothing was ever set for the device. */
export async function readDeviceProtection(
  tx: Tx,
  id: DeviceId,
  wrapper: Wrapper,
): Promise<StoredProtection | undefined> {
  const [row] = await tx.query<ProtectionRow>(
    "select * from protection.device_protection where device_id = $1",
    [id],
  );
  return row === undefined ? undefined : protectionOf(row, wrapper);
}

/** Of all devices in scope that have any. */
export async function listDeviceProtections(tx: Tx, wrapper: Wrapper): Promise<readonly StoredProtection[]> {
  const rows = await tx.query<ProtectionRow>("select * from protection.device_protection");
  return rows.map((row) => protectionOf(row, wrapper));
}

export async function writeDeviceProtection(
  tx: Tx,
  stored: StoredProtection,
  wrapper: Wrapper,
): Promise<void> {
  const secrets = Object.fromEntries(
    stored.probes.flatMap((probe) =>
      probe.kind === "sql" && probe.password !== undefined ? [[probe.name, probe.password]] : [],
    ),
  );
  const wrapped = wrapper.wrap(JSON.stringify(secrets), contextOf(stored.deviceId));
  await tx.query(
    `insert into protection.device_protection (device_id, customer_id, plan_id, sources, probes, probe_secrets, machine)
     values ($1, $2, $3, $4, $5, $6, $7)
     on conflict (device_id) do update set plan_id = excluded.plan_id, sources = excluded.sources,
       probes = excluded.probes, probe_secrets = excluded.probe_secrets, machine = excluded.machine`,
    [
      stored.deviceId,
      stored.customerId,
      stored.planId,
      JSON.stringify(stored.sources),
      JSON.stringify(stored.probes.map(withoutPassword)),
      wrapped,
      JSON.stringify(stored.machine),
    ],
  );
}

/** As it may be shown. */
export function withoutPassword(probe: ProbeSpec): ProbeSpec {
  if (probe.kind !== "sql") return probe;
  const { password: _password, ...shown } = probe;
  return shown;
}

/** A probe given without its password keeps the one that the probe of that name had. */
export function withKeptPasswords(given: readonly ProbeSpec[], before: readonly ProbeSpec[]): ProbeSpec[] {
  return given.map((probe) => {
    if (probe.kind !== "sql" || probe.password !== undefined) return probe;
    const kept = before.find((one) => one.kind === "sql" && one.name === probe.name);
    return kept?.kind === "sql" && kept.password !== undefined
      ? { ...probe, password: kept.password }
      : probe;
  });
}

function protectionOf(row: ProtectionRow, wrapper: Wrapper): StoredProtection {
  const secrets =
    row.probe_secrets === null
      ? {}
      : secretsSchema.parse(JSON.parse(wrapper.unwrap(row.probe_secrets, contextOf(row.device_id))));
  const protection = deviceProtection.parse({
    deviceId: row.device_id,
    planId: row.plan_id,
    sources: row.sources,
    probes: row.probes,
    machine: row.machine,
  });
  const probes = protection.probes.map((probe) => {
    const password = secrets[probe.name];
    return probe.kind === "sql" && password !== undefined ? { ...probe, password } : probe;
  });
  return { ...protection, probes, customerId: row.customer_id };
}

function contextOf(deviceId: string): string {
  return `probe-secrets ${deviceId}`;
}
