/** What the directory keeps of agents: which key is which device, and when it was last there. */

import type { Device, DeviceFacts, DeviceId } from "@mainstay/contract";
import type { Tx } from "@mainstay/platform";
import { deviceOf } from "./devices.ts";
import type { DirectoryTables } from "./tables.ts";

/** The device whose agent has this key; archived ones too. Wants the whole scope: the customer is not known yet. */
export async function findDeviceByKey(tx: Tx, key: string): Promise<Device | undefined> {
  const row = await tx
    .tables<DirectoryTables>()
    .selectFrom("directory.device")
    .selectAll()
    .where("agent_key", "=", key)
    .executeTakeFirst();
  return row === undefined ? undefined : deviceOf(row);
}

export type AgentSighting = {
  readonly at: Date;
  readonly connected: boolean;
  readonly version?: string;
  readonly facts?: DeviceFacts;
  readonly clockOffsetMs?: number;
};

export async function recordSighting(tx: Tx, id: DeviceId, sighting: AgentSighting): Promise<void> {
  await tx
    .tables<DirectoryTables>()
    .updateTable("directory.device")
    .set({
      agent_last_seen_at: sighting.at,
      agent_connected: sighting.connected,
      ...(sighting.version === undefined ? {} : { agent_version: sighting.version }),
      ...(sighting.facts === undefined ? {} : { facts: JSON.stringify(sighting.facts) }),
      ...(sighting.clockOffsetMs === undefined
        ? {}
        : { agent_clock_offset_ms: Math.round(sighting.clockOffsetMs) }),
    })
    .where("id", "=", id)
    .execute();
}

/** At the start of the server nobody is connected, whatever a crash left in the rows. */
export async function forgetConnections(tx: Tx): Promise<void> {
  await tx
    .tables<DirectoryTables>()
    .updateTable("directory.device")
    .set({ agent_connected: false })
    .where("agent_connected", "=", true)
    .execute();
}
