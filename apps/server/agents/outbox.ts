/** How far an agent's records are stored: read at the welcome, moved with each record's own transaction. */

import type { AgentRecord } from "@mainstay/contract";
import type { AgentDevice, AgentHooks, Tx } from "@mainstay/platform";

export async function readAcknowledged(tx: Tx, device: AgentDevice): Promise<number> {
  const [row] = await tx.query<{ acknowledged: number }>(
    "select acknowledged from agents.outbox where device_id = $1",
    [device.deviceId],
  );
  return row?.acknowledged ?? 0;
}

/** `stored`: acknowledge it. `repeated`: it was stored before; acknowledge it again. */
export type RecordOutcome = { readonly state: "stored" | "repeated"; readonly missed: number };

/**
 * Stores one record and moves the mark, together. A record with a number beyond the next is taken too: what the agent lost
 * cannot be had any more, and refusing would lose the rest; `missed` says how many.
 */
export async function storeRecord(
  tx: Tx,
  device: AgentDevice,
  record: AgentRecord,
  hooks: readonly AgentHooks[],
): Promise<RecordOutcome> {
  const acknowledged = await lockMark(tx, device);
  if (record.sequence <= acknowledged) return { state: "repeated", missed: 0 };
  for (const { records } of hooks) await callHook(tx, device, record, records);
  await tx.query("update agents.outbox set acknowledged = $2 where device_id = $1", [
    device.deviceId,
    record.sequence,
  ]);
  return { state: "stored", missed: record.sequence - acknowledged - 1 };
}

/** Locked, so that two connections of one agent cannot both store a record. */
async function lockMark(tx: Tx, device: AgentDevice): Promise<number> {
  await tx.query(
    "insert into agents.outbox (device_id, customer_id) values ($1, $2) on conflict do nothing",
    [device.deviceId, device.customerId],
  );
  const [row] = await tx.query<{ acknowledged: number }>(
    "select acknowledged from agents.outbox where device_id = $1 for update",
    [device.deviceId],
  );
  return row?.acknowledged ?? 0;
}

async function callHook(
  tx: Tx,
  device: AgentDevice,
  record: AgentRecord,
  records: AgentHooks["records"],
): Promise<void> {
  switch (record.kind) {
    case "facts":
      return records?.[record.kind]?.(tx, device, record);
    case "run-started":
      return records?.[record.kind]?.(tx, device, record);
    case "run-finished":
      return records?.[record.kind]?.(tx, device, record);
    case "work-refused":
      return records?.[record.kind]?.(tx, device, record);
    case "problem":
      return records?.[record.kind]?.(tx, device, record);
  }
}
