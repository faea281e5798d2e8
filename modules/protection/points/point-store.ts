/** Restore points and their replicas in the database. */

import {
  type CustomerId,
  type DeviceId,
  type RepositoryId,
  type RestorePoint,
  restorePoint,
  type RestorePointId,
  type VaultId,
} from "@mainstay/contract";
import { type Page, pageAfter, pageFrom, pageLimit, type PageRequest, type Tx } from "@mainstay/platform";

export type NewPoint = {
  readonly id: RestorePointId;
  readonly customerId: CustomerId;
  readonly deviceId: DeviceId;
  readonly repositoryId: RepositoryId;
  readonly vaultId: VaultId;
  readonly takenAt: Date;
  readonly claimedAt: Date;
  readonly kind: "image" | "files";
  readonly disks: readonly { readonly name: string; readonly sizeBytes: number }[];
};

type PointRow = {
  readonly id: string;
  readonly happened: number;
  readonly customer_id: CustomerId;
  readonly device_id: DeviceId;
  readonly taken_at: Date;
  readonly kind: string;
  readonly disks: unknown;
  readonly read_bytes: number | null;
  readonly added_bytes: number | null;
  readonly duration_ms: number | null;
  readonly state: "usable" | "damaged";
  readonly proven: unknown;
  readonly replicas: unknown;
};

const SELECT = `select point.*,
  (select json_build_object('restoreTestId', test.id, 'at', to_char(test.finished_at at time zone 'UTC',
       'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), 'rtoMs', test.rto_ms)
     from protection.restore_test test where test.restore_point_id = point.id and test.state = 'passed'
       and test.rto_ms is not null order by test.happened desc limit 1) as proven,
  (select coalesce(json_agg(json_build_object('vaultId', replica.vault_id, 'state', replica.state,
       'at', to_char(replica.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')) order by replica.at), '[]')
     from protection.replica where replica.restore_point_id = point.id) as replicas
  from protection.restore_point point`;

/** Names of vaults by id: they are the provider's, so that a customer's scope does not reach them. */
export type VaultNames = ReadonlyMap<string, string>;

/** Notes a point that this server's vault holds. Told twice, the first stays. Whether it was new. */
export async function insertPoint(tx: Tx, point: NewPoint, now: Date): Promise<boolean> {
  const rows = await tx.query(
    `insert into protection.restore_point (id, customer_id, device_id, repository_id, taken_at, claimed_at, kind, disks, state)
     values ($1, $2, $3, $4, $5, $6, $7, $8, 'usable') on conflict (id) do nothing returning id`,
    [
      point.id,
      point.customerId,
      point.deviceId,
      point.repositoryId,
      point.takenAt,
      point.claimedAt,
      point.kind,
      JSON.stringify(point.disks),
    ],
  );
  if (rows.length > 0) await noteReplica(tx, point, point.vaultId, "present", now);
  return rows.length > 0;
}

/**
 * Gives points what the runs that made them know: the figures, and the run's begin, since the data is as old as that. All by
 * this server's clock. Upload and record come in any order, so that this is called after either.
 */
export async function adoptRuns(tx: Tx, deviceId: DeviceId): Promise<void> {
  await tx.query(
    `update protection.restore_point point set
       read_bytes = (run.result->>'readBytes')::bigint, added_bytes = (run.result->>'addedBytes')::bigint,
       duration_ms = (extract(epoch from run.finished_at - run.started_at) * 1000)::bigint,
       taken_at = least(point.taken_at, run.started_at)
     from protection.run
     where point.device_id = $1 and point.read_bytes is null and run.device_id = $1 and run.kind = 'backup'
       and run.state = 'succeeded' and run.result->>'restorePointId' = point.id`,
    [deviceId],
  );
}

export async function noteReplica(
  tx: Tx,
  point: { readonly id: string; readonly customerId: string },
  vaultId: VaultId,
  state: "present" | "copying" | "missing",
  at: Date,
): Promise<void> {
  await tx.query(
    `insert into protection.replica (restore_point_id, vault_id, customer_id, state, at) values ($1, $2, $3, $4, $5)
     on conflict (restore_point_id, vault_id) do update set state = excluded.state, at = excluded.at
     where replica.state <> excluded.state`,
    [point.id, vaultId, point.customerId, state, at],
  );
}

export async function markDamaged(tx: Tx, ids: readonly string[]): Promise<void> {
  await tx.query("update protection.restore_point set state = 'damaged' where id = any($1)", [ids]);
}

/** The first of two steps: the point is no longer offered; its snapshot goes after this is committed. */
export async function markDropped(tx: Tx, ids: readonly string[], at: Date): Promise<void> {
  await tx.query(
    "update protection.restore_point set dropped_at = $2 where id = any($1) and dropped_at is null",
    [ids, at],
  );
}

/** Dropped points whose snapshot may still be in the repository. */
export async function listDropped(tx: Tx, repositoryId: RepositoryId): Promise<readonly string[]> {
  const rows = await tx.query<{ readonly id: string }>(
    "select id from protection.restore_point where repository_id = $1 and dropped_at is not null",
    [repositoryId],
  );
  return rows.map((row) => row.id);
}

export async function readPoint(tx: Tx, id: string, names: VaultNames): Promise<RestorePoint | undefined> {
  const [row] = await tx.query<PointRow>(`${SELECT} where point.id = $1 and point.dropped_at is null`, [id]);
  return row === undefined ? undefined : pointOf(row, names);
}

/** Newest first. */
export async function listPoints(
  tx: Tx,
  deviceId: DeviceId,
  request: PageRequest,
  names: VaultNames,
): Promise<Page<RestorePoint>> {
  const limit = pageLimit(request);
  const rows = await tx.query<PointRow>(
    `${SELECT} where point.device_id = $1 and point.dropped_at is null and ($2::bigint is null or point.happened < $2)
     order by point.happened desc limit $3`,
    [deviceId, pageAfter(request)?.[0] ?? null, limit + 1],
  );
  return pageFrom(
    rows,
    limit,
    (row) => pointOf(row, names),
    (row) => [String(row.happened)],
  );
}

/** All of a device, newest first: for retention and replication. */
export async function allPoints(
  tx: Tx,
  deviceId: DeviceId,
  names: VaultNames,
): Promise<readonly RestorePoint[]> {
  const rows = await tx.query<PointRow>(
    `${SELECT} where point.device_id = $1 and point.dropped_at is null order by point.happened desc`,
    [deviceId],
  );
  return rows.map((row) => pointOf(row, names));
}

/** Ids that the database knows of a repository, dropped ones included. */
export async function knownPointIds(tx: Tx, repositoryId: RepositoryId): Promise<ReadonlySet<string>> {
  const rows = await tx.query<{ readonly id: string }>(
    "select id from protection.restore_point where repository_id = $1",
    [repositoryId],
  );
  return new Set(rows.map((row) => row.id));
}

function pointOf(row: PointRow, names: VaultNames): RestorePoint {
  const point = restorePoint.omit({ replicas: true }).parse({
    id: row.id,
    customerId: row.customer_id,
    deviceId: row.device_id,
    takenAt: row.taken_at.toISOString(),
    kind: row.kind,
    disks: row.disks,
    readBytes: row.read_bytes,
    addedBytes: row.added_bytes,
    durationMs: row.duration_ms,
    state: row.state,
    proven: row.proven,
  });
  const named = restorePoint.shape.replicas.element.omit({ vaultName: true }).array().parse(row.replicas);
  const replicas = named.map((replica) => ({ ...replica, vaultName: names.get(replica.vaultId) ?? "" }));
  return { ...point, replicas };
}
