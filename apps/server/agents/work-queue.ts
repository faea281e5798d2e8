/** Work that waits for its agent: kept until the agent holds it durably, or it expires. */

import { work, workId, type Work, type WorkId } from "@mainstay/contract";
import { newUuid } from "@mainstay/kit";
import type { AgentDevice, NewWork, Tx } from "@mainstay/platform";

/** Does nothing when work with this key waits already. */
export async function addWork(tx: Tx, device: AgentDevice, wanted: NewWork, now: Date): Promise<void> {
  await forgetExpired(tx, device, now);
  const id = newUuid(now);
  const body: Work = work.parse({ ...wanted, id, expiresAt: wanted.expiresAt.toISOString() });
  await tx.query(
    `insert into agents.work (id, device_id, customer_id, body, dedupe_key, expires_at) values ($1, $2, $3, $4, $5, $6)
     on conflict (device_id, dedupe_key) do nothing`,
    [id, device.deviceId, device.customerId, JSON.stringify(body), wanted.dedupeKey, wanted.expiresAt],
  );
}

/** Oldest first. */
export async function waitingWork(tx: Tx, device: AgentDevice, now: Date): Promise<readonly Work[]> {
  await forgetExpired(tx, device, now);
  const rows = await tx.query<{ body: unknown }>(
    "select body from agents.work where device_id = $1 order by id",
    [device.deviceId],
  );
  return rows.map((row) => work.parse(row.body));
}

/** The agent holds it: it is the agent's now. */
export async function removeWork(tx: Tx, device: AgentDevice, id: WorkId): Promise<void> {
  await tx.query("delete from agents.work where id = $1 and device_id = $2", [
    workId.parse(id),
    device.deviceId,
  ]);
}

async function forgetExpired(tx: Tx, device: AgentDevice, now: Date): Promise<void> {
  await tx.query("delete from agents.work where device_id = $1 and expires_at <= $2", [device.deviceId, now]);
}
