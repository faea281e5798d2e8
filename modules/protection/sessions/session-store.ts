/** Recovery sessions in the database: what ran, where, who asked, and how it went. */

import {
  type DeviceId,
  type RecoverySession,
  recoverySession,
  type RecoverySessionId,
  type RestorePoint,
  type VaultId,
} from "@mainstay/contract";
import { type Page, pageAfter, pageFrom, pageLimit, type PageRequest, type Tx } from "@mainstay/platform";

type SessionRow = {
  readonly id: string;
  readonly happened: number;
  readonly customer_id: string;
  readonly device_id: string;
  readonly restore_point_id: string;
  readonly vault_id: string;
  readonly state: RecoverySession["state"];
  readonly accelerator: string | null;
  readonly timeline: unknown;
  readonly forwards: unknown;
  readonly counts: unknown;
  readonly screen: string;
  readonly started_by: string;
  readonly started_at: Date;
  readonly stopped_at: Date | null;
  readonly error: unknown;
};

export async function insertSession(
  tx: Tx,
  session: {
    readonly id: RecoverySessionId;
    readonly point: RestorePoint;
    readonly vaultId: VaultId;
    readonly startedBy: string;
  },
  at: Date,
): Promise<void> {
  await tx.query(
    `insert into protection.recovery_session (id, customer_id, device_id, restore_point_id, vault_id, state, timeline,
       forwards, screen, started_by, started_at)
     values ($1, $2, $3, $4, $5, 'starting', '[]', '[]', 'unavailable', $6, $7)`,
    [
      session.id,
      session.point.customerId,
      session.point.deviceId,
      session.point.id,
      session.vaultId,
      session.startedBy,
      at,
    ],
  );
}

export type SessionChange = Pick<
  RecoverySession,
  "state" | "accelerator" | "timeline" | "forwards" | "counts" | "screen" | "stoppedAt" | "error"
>;

/** An ended session stays as it ended. */
export async function updateSession(tx: Tx, id: string, change: SessionChange): Promise<void> {
  await tx.query(
    `update protection.recovery_session set state = $2, accelerator = $3, timeline = $4, forwards = $5, counts = $6,
       screen = $7, stopped_at = $8, error = $9 where id = $1 and stopped_at is null`,
    [
      id,
      change.state,
      change.accelerator,
      JSON.stringify(change.timeline),
      JSON.stringify(change.forwards),
      change.counts === null ? null : JSON.stringify(change.counts),
      change.screen,
      change.stoppedAt,
      change.error === null ? null : JSON.stringify(change.error),
    ],
  );
}

export async function readSession(tx: Tx, id: string): Promise<RecoverySession | undefined> {
  const [row] = await tx.query<SessionRow>("select * from protection.recovery_session where id = $1", [id]);
  return row === undefined ? undefined : sessionOf(row);
}

/** Newest first. */
export async function listSessions(
  tx: Tx,
  filter: { readonly deviceId?: DeviceId | undefined; readonly state?: RecoverySession["state"] | undefined },
  request: PageRequest,
): Promise<Page<RecoverySession>> {
  const limit = pageLimit(request);
  const rows = await tx.query<SessionRow>(
    `select * from protection.recovery_session where ($1::uuid is null or device_id = $1)
       and ($2::text is null or state = $2) and ($3::bigint is null or happened < $3)
     order by happened desc limit $4`,
    [filter.deviceId ?? null, filter.state ?? null, pageAfter(request)?.[0] ?? null, limit + 1],
  );
  return pageFrom(rows, limit, sessionOf, (row) => [String(row.happened)]);
}

/** Those that had not ended when last heard of. */
export async function listOpenSessions(tx: Tx): Promise<readonly RecoverySession[]> {
  const rows = await tx.query<SessionRow>(
    "select * from protection.recovery_session where stopped_at is null",
  );
  return rows.map(sessionOf);
}

function sessionOf(row: SessionRow): RecoverySession {
  return recoverySession.parse({
    id: row.id,
    customerId: row.customer_id,
    deviceId: row.device_id,
    restorePointId: row.restore_point_id,
    vaultId: row.vault_id,
    state: row.state,
    accelerator: row.accelerator,
    timeline: row.timeline,
    forwards: row.forwards,
    screen: row.screen,
    counts: row.counts,
    startedBy: row.started_by,
    startedAt: row.started_at.toISOString(),
    stoppedAt: row.stopped_at?.toISOString() ?? null,
    error: row.error,
  });
}
