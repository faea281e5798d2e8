/** Devices: rows and what may be done to them. */

import { createHash } from "node:crypto";
import type { Selectable } from "kysely";
import {
  deviceId,
  type CustomerId,
  type Device,
  type DeviceFacts,
  type DeviceId,
  type DeviceKind,
  type DeviceState,
  type SiteId,
} from "@mainstay/contract";
import { newUuid } from "@mainstay/kit";
import {
  notFound,
  pageAfter,
  pageFrom,
  pageLimit,
  requestErrors,
  type Page,
  type PageRequest,
  type Tx,
} from "@mainstay/platform";
import { afterName, byName, nameKey, takenAsConflict } from "./listing.ts";
import type { DeviceTable, DirectoryTables } from "./tables.ts";

export function deviceOf(row: Selectable<DeviceTable>): Device {
  return {
    id: row.id,
    customerId: row.customer_id,
    siteId: row.site_id,
    name: row.name,
    kind: row.kind,
    state: row.state,
    facts: row.facts,
    agent: agentOf(row),
    createdAt: row.created_at.toISOString(),
  };
}

function agentOf(row: Selectable<DeviceTable>): Device["agent"] {
  if (row.agent_key === null) return null;
  return {
    version: row.agent_version ?? "",
    keyFingerprint: createHash("sha256").update(Buffer.from(row.agent_key, "base64url")).digest("hex"),
    connected: row.agent_connected,
    lastSeenAt: row.agent_last_seen_at?.toISOString() ?? null,
    clockOffsetMs: row.agent_clock_offset_ms,
  };
}

/** Throws `request.not-found`, also for one outside the scope of `tx`. */
export async function readDevice(tx: Tx, id: DeviceId): Promise<Device> {
  const row = await tx
    .tables<DirectoryTables>()
    .selectFrom("directory.device")
    .selectAll()
    .where("id", "=", id)
    .executeTakeFirst();
  if (row === undefined) throw notFound("device", id);
  return deviceOf(row);
}

export type DeviceFilter = {
  readonly customerId?: CustomerId | undefined;
  readonly siteId?: SiteId | undefined;
  readonly state?: DeviceState | undefined;
};

function selectDevices(tx: Tx, filter: DeviceFilter) {
  let query = tx.tables<DirectoryTables>().selectFrom("directory.device").selectAll();
  if (filter.customerId !== undefined) query = query.where("customer_id", "=", filter.customerId);
  if (filter.siteId !== undefined) query = query.where("site_id", "=", filter.siteId);
  if (filter.state !== undefined) query = query.where("state", "=", filter.state);
  return query.orderBy(byName);
}

export async function listDevices(tx: Tx, request: PageRequest & DeviceFilter): Promise<Page<Device>> {
  const limit = pageLimit(request);
  const rows = await selectDevices(tx, request)
    .where(afterName(pageAfter(request)))
    .limit(limit + 1)
    .execute();
  return pageFrom(rows, limit, deviceOf, nameKey);
}

/** Every device of the scope that `filter` lets through, by name. */
export async function allDevicesOf(tx: Tx, filter: DeviceFilter = {}): Promise<readonly Device[]> {
  return (await selectDevices(tx, filter).execute()).map(deviceOf);
}

export type NewDevice = {
  readonly customerId: CustomerId;
  readonly siteId: SiteId;
  readonly name: string;
  readonly kind: DeviceKind;
  readonly state: "pending" | "active";
  readonly agent?: { readonly key: string; readonly version: string; readonly facts: DeviceFacts };
};

/** Throws `request.conflict` when the customer has a device of this name. */
export async function addDevice(tx: Tx, device: NewDevice, now: Date): Promise<Device> {
  const row = {
    id: deviceId.parse(newUuid(now)),
    customer_id: device.customerId,
    site_id: device.siteId,
    name: device.name,
    kind: device.kind,
    state: device.state,
    facts: JSON.stringify(device.agent?.facts ?? {}),
    agent_key: device.agent?.key ?? null,
    agent_version: device.agent?.version ?? null,
    agent_last_seen_at: device.agent === undefined ? null : now,
    agent_clock_offset_ms: null,
    created_at: now,
  };
  const added = await takenAsConflict("device", device.name, () =>
    tx
      .tables<DirectoryTables>()
      .insertInto("directory.device")
      .values(row)
      .returningAll()
      .executeTakeFirstOrThrow(),
  );
  return deviceOf(added);
}

/** `SRV-SQL1`, or `SRV-SQL1 (2)` where the customer has one: an enrolling agent cannot be asked for another name. */
export async function freeDeviceName(tx: Tx, customer: CustomerId, wanted: string): Promise<string> {
  const devices = await allDevicesOf(tx, { customerId: customer });
  const taken = new Set(
    devices.filter(({ state }) => state !== "archived").map(({ name }) => name.toLowerCase()),
  );
  for (let attempt = 1; ; attempt += 1) {
    const name = attempt === 1 ? wanted : `${wanted} (${attempt})`;
    if (!taken.has(name.toLowerCase())) return name;
  }
}

export type DeviceChange = {
  readonly name?: string | undefined;
  readonly kind?: DeviceKind | undefined;
  readonly siteId?: SiteId | undefined;
};

export async function changeDevice(tx: Tx, before: Device, change: DeviceChange): Promise<Device> {
  const after = {
    name: change.name ?? before.name,
    kind: change.kind ?? before.kind,
    site_id: change.siteId ?? before.siteId,
  };
  const changed = await takenAsConflict("device", after.name, () =>
    tx
      .tables<DirectoryTables>()
      .updateTable("directory.device")
      .set(after)
      .where("id", "=", before.id)
      .returningAll()
      .executeTakeFirstOrThrow(),
  );
  return deviceOf(changed);
}

/** Throws `request.conflict` unless the device is in one of `from`. */
export async function moveDevice(
  tx: Tx,
  before: Device,
  from: readonly DeviceState[],
  to: DeviceState,
): Promise<Device> {
  if (!from.includes(before.state)) {
    throw requestErrors.error(
      "conflict",
      `Cannot make "${before.name}" ${to}: it is ${before.state}, wanted ${from.join(" or ")}`,
      {
        values: { state: before.state },
      },
    );
  }
  const moved = await tx
    .tables<DirectoryTables>()
    .updateTable("directory.device")
    .set({ state: to })
    .where("id", "=", before.id)
    .returningAll()
    .executeTakeFirstOrThrow();
  return deviceOf(moved);
}
