/** Repositories and the credentials of their REST access, in the database. */

import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import {
  type CustomerId,
  type DeviceId,
  type Repository,
  repository,
  type RepositoryId,
  repositoryId,
  type VaultId,
} from "@mainstay/contract";
import { must, newUuid } from "@mainstay/kit";
import type { Tx, Wrapper } from "@mainstay/platform";

export type StoredRepository = {
  readonly id: RepositoryId;
  readonly customerId: CustomerId;
  readonly deviceId: DeviceId;
  readonly vaultId: VaultId;
  /** Opens it with any restic client. */
  readonly password: string;
  readonly state: "making" | "ready";
  readonly sizeBytes: number;
  readonly verifiedAt: Date | null;
};

export type RestCredential = { readonly username: string; readonly password: string };

type RepositoryRow = {
  readonly id: RepositoryId;
  readonly customer_id: CustomerId;
  readonly device_id: DeviceId;
  readonly vault_id: VaultId;
  readonly password: Buffer;
  readonly state: "making" | "ready";
  readonly size_bytes: number;
  readonly verified_at: Date | null;
  readonly created_at: Date;
};

const PASSWORD_BYTES = 32;

/** The device's repository in the vault; noted as `making` if it is new. `password`: of the one it replicates. */
export async function claimRepository(
  tx: Tx,
  wrapper: Wrapper,
  owner: { readonly customerId: CustomerId; readonly deviceId: DeviceId; readonly vaultId: VaultId },
  now: Date,
  password = randomBytes(PASSWORD_BYTES).toString("base64url"),
): Promise<StoredRepository> {
  const id = newUuid(now);
  await tx.query(
    `insert into protection.repository (id, customer_id, device_id, vault_id, password, state, created_at)
     values ($1, $2, $3, $4, $5, 'making', $6) on conflict (device_id, vault_id) do nothing`,
    [id, owner.customerId, owner.deviceId, owner.vaultId, wrapper.wrap(password, passwordContext(id)), now],
  );
  const found = await findRepository(tx, wrapper, owner.deviceId, owner.vaultId);
  return must(found, "a repository was just claimed");
}

export async function findRepository(
  tx: Tx,
  wrapper: Wrapper,
  deviceId: DeviceId,
  vaultId: VaultId,
): Promise<StoredRepository | undefined> {
  const [row] = await tx.query<RepositoryRow>(
    "select * from protection.repository where device_id = $1 and vault_id = $2",
    [deviceId, vaultId],
  );
  return row === undefined ? undefined : storedOf(row, wrapper);
}

/** The one that the device backs up into: its first; replicas are made from it. */
export async function primaryRepository(
  tx: Tx,
  wrapper: Wrapper,
  deviceId: DeviceId,
): Promise<StoredRepository | undefined> {
  const [row] = await tx.query<RepositoryRow>(
    "select * from protection.repository where device_id = $1 order by created_at, id limit 1",
    [deviceId],
  );
  return row === undefined ? undefined : storedOf(row, wrapper);
}

export async function readRepository(
  tx: Tx,
  wrapper: Wrapper,
  id: string,
): Promise<StoredRepository | undefined> {
  const [row] = await tx.query<RepositoryRow>("select * from protection.repository where id = $1", [id]);
  return row === undefined ? undefined : storedOf(row, wrapper);
}

/** Of one vault, or of all. */
export async function listRepositories(
  tx: Tx,
  wrapper: Wrapper,
  vaultId: VaultId | undefined,
): Promise<readonly StoredRepository[]> {
  const rows = await tx.query<RepositoryRow>(
    "select * from protection.repository where ($1::uuid is null or vault_id = $1) order by created_at, id",
    [vaultId ?? null],
  );
  return rows.map((row) => storedOf(row, wrapper));
}

/** As the contract shows them. */
export async function describeRepositories(tx: Tx, deviceId: DeviceId): Promise<Repository[]> {
  const rows = await tx.query<RepositoryRow & { readonly points: number }>(
    `select repository.*, (select count(*)::int from protection.replica where replica.vault_id = repository.vault_id
       and replica.state = 'present' and replica.restore_point_id in
         (select id from protection.restore_point where device_id = $1 and dropped_at is null)) as points
     from protection.repository where device_id = $1 order by created_at, id`,
    [deviceId],
  );
  return rows.map((row) =>
    repository.parse({
      id: row.id,
      deviceId: row.device_id,
      vaultId: row.vault_id,
      sizeBytes: row.size_bytes,
      restorePoints: row.points,
      createdAt: row.created_at.toISOString(),
    }),
  );
}

export async function markRepositoryReady(tx: Tx, id: RepositoryId): Promise<void> {
  await tx.query("update protection.repository set state = 'ready' where id = $1", [id]);
}

export async function noteRepositorySize(tx: Tx, id: RepositoryId, sizeBytes: number): Promise<void> {
  await tx.query("update protection.repository set size_bytes = $2 where id = $1", [id, sizeBytes]);
}

export async function noteVerified(tx: Tx, id: RepositoryId, at: Date): Promise<void> {
  await tx.query("update protection.repository set verified_at = $2 where id = $1", [id, at]);
}

/** The agent's credential; made at the first call, the same from then on. */
export async function agentCredential(
  tx: Tx,
  wrapper: Wrapper,
  stored: StoredRepository,
  now: Date,
): Promise<RestCredential> {
  const [row] = await tx.query<{ readonly username: string; readonly secret: Buffer }>(
    "select username, secret from protection.rest_credential where repository_id = $1 and holder = 'agent'",
    [stored.id],
  );
  if (row !== undefined)
    return { username: row.username, password: wrapper.unwrap(row.secret, secretContext(row.username)) };
  const made = newCredential("agent", stored.id);
  await tx.query(
    `insert into protection.rest_credential (username, customer_id, repository_id, holder, secret_hash, secret, created_at)
     values ($1, $2, $3, 'agent', $4, $5, $6)`,
    [
      made.username,
      stored.customerId,
      stored.id,
      hashSecret(made.password),
      wrapper.wrap(made.password, secretContext(made.username)),
      now,
    ],
  );
  return made;
}

/** A restic client's credential; the one before stops working. */
export async function issueClientCredential(
  tx: Tx,
  stored: StoredRepository,
  now: Date,
): Promise<RestCredential> {
  const made = newCredential("client", stored.id);
  await tx.query("delete from protection.rest_credential where repository_id = $1 and holder = 'client'", [
    stored.id,
  ]);
  await tx.query(
    `insert into protection.rest_credential (username, customer_id, repository_id, holder, secret_hash, created_at)
     values ($1, $2, $3, 'client', $4, $5)`,
    [made.username, stored.customerId, stored.id, hashSecret(made.password), now],
  );
  return made;
}

/** The repository that the credential opens, or `undefined`. */
export async function repositoryOfCredential(
  tx: Tx,
  credential: RestCredential,
): Promise<RepositoryId | undefined> {
  const [row] = await tx.query<{ readonly repository_id: string; readonly secret_hash: Buffer }>(
    "select repository_id, secret_hash from protection.rest_credential where username = $1",
    [credential.username],
  );
  // The same work for an unknown name, so that the time tells nothing.
  const expected = row?.secret_hash ?? Buffer.alloc(32);
  const fits = timingSafeEqual(expected, hashSecret(credential.password));
  return fits && row !== undefined ? repositoryId.parse(row.repository_id) : undefined;
}

/** Our secrets are random and long, so that one round of SHA-256 is as good as a slow hash. */
export function hashSecret(secret: string): Buffer {
  return createHash("sha256").update(secret, "utf8").digest();
}

function newCredential(holder: string, id: string): RestCredential {
  const tail = randomBytes(6).toString("hex");
  return { username: `${holder}-${id.slice(0, 8)}-${tail}`, password: randomBytes(24).toString("base64url") };
}

function storedOf(row: RepositoryRow, wrapper: Wrapper): StoredRepository {
  return {
    id: repositoryId.parse(row.id),
    customerId: row.customer_id,
    deviceId: row.device_id,
    vaultId: row.vault_id,
    password: wrapper.unwrap(row.password, passwordContext(row.id)),
    state: row.state,
    sizeBytes: row.size_bytes,
    verifiedAt: row.verified_at,
  };
}

function passwordContext(id: string): string {
  return `repository-password ${id}`;
}

function secretContext(username: string): string {
  return `rest-credential ${username}`;
}
