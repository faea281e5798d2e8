/** Vaults in the database: the local one, and other Mainstays that keep replicas. They are the provider's, not a customer's. */

import { type Vault, vault, type VaultId } from "@mainstay/contract";
import { newUuid } from "@mainstay/kit";
import {
  type Page,
  pageAfter,
  pageFrom,
  pageLimit,
  type PageRequest,
  type Tx,
  type Wrapper,
} from "@mainstay/platform";

/** How to reach another Mainstay. */
export type PeerAddress = {
  readonly vaultId: VaultId;
  readonly name: string;
  readonly address: string;
  readonly identity: string;
  readonly certificateSha256: string;
  /** `PEER_ID.SECRET`. */
  readonly credential: string;
};

type VaultRow = {
  readonly id: VaultId;
  readonly name: string;
  readonly kind: "local" | "mainstay";
  readonly address: string | null;
  readonly identity: string | null;
  readonly certificate_sha256: string | null;
  readonly peer_credential: Buffer | null;
  readonly state: string;
  readonly state_detail: string | null;
  readonly used_bytes: number | null;
  readonly free_bytes: number | null;
  readonly measured_at: Date | null;
  readonly created_at: Date;
  readonly repositories: number;
};

const SELECT = `select vault.*, (select count(*)::int from protection.repository where vault_id = vault.id)
  as repositories from protection.vault`;

/** The vault in this server's data folder; made at the first call. */
export async function claimLocalVault(tx: Tx, now: Date): Promise<VaultId> {
  await tx.query(
    `insert into protection.vault (id, name, kind, state, created_at)
     select $1, 'This server', 'local', 'not-measured', $2
     where not exists (select 1 from protection.vault where kind = 'local')`,
    [newUuid(now), now],
  );
  return await localVaultId(tx);
}

export async function localVaultId(tx: Tx): Promise<VaultId> {
  const [row] = await tx.query<{ readonly id: string }>(
    "select id from protection.vault where kind = 'local'",
  );
  return vault.shape.id.parse(row?.id);
}

export async function insertPeerVault(tx: Tx, wrapper: Wrapper, peer: PeerAddress, now: Date): Promise<void> {
  await tx.query(
    `insert into protection.vault (id, name, kind, address, identity, certificate_sha256, peer_credential, state, created_at)
     values ($1, $2, 'mainstay', $3, $4, $5, $6, 'not-measured', $7)`,
    [
      peer.vaultId,
      peer.name,
      peer.address,
      peer.identity,
      peer.certificateSha256,
      wrapper.wrap(peer.credential, credentialContext(peer.vaultId)),
      now,
    ],
  );
}

export async function renameVault(tx: Tx, id: VaultId, name: string): Promise<void> {
  await tx.query("update protection.vault set name = $2 where id = $1", [id, name]);
}

export async function isVaultNameTaken(tx: Tx, name: string, besides: VaultId | null): Promise<boolean> {
  const rows = await tx.query(
    "select 1 from protection.vault where name = $1 and ($2::uuid is null or id <> $2)",
    [name, besides],
  );
  return rows.length > 0;
}

export type VaultMeasure =
  | { readonly state: "ready"; readonly usedBytes: number; readonly freeBytes: number }
  | { readonly state: "unreachable"; readonly detail: string };

export async function noteMeasure(tx: Tx, id: VaultId, measure: VaultMeasure, at: Date): Promise<void> {
  if (measure.state === "unreachable") {
    await tx.query("update protection.vault set state = 'unreachable', state_detail = $2 where id = $1", [
      id,
      measure.detail,
    ]);
    return;
  }
  await tx.query(
    `update protection.vault set state = 'ready', state_detail = null, used_bytes = $2, free_bytes = $3,
       measured_at = $4 where id = $1`,
    [id, measure.usedBytes, measure.freeBytes, at],
  );
}

export async function readVault(tx: Tx, id: string): Promise<Vault | undefined> {
  const [row] = await tx.query<VaultRow>(`${SELECT} where vault.id = $1`, [id]);
  return row === undefined ? undefined : vaultOf(row);
}

/** How to reach it, or `undefined` if it is this server's own or there is none. */
export async function readPeerAddress(
  tx: Tx,
  wrapper: Wrapper,
  id: string,
): Promise<PeerAddress | undefined> {
  const [row] = await tx.query<VaultRow>(`${SELECT} where vault.id = $1`, [id]);
  if (row === undefined || row.address === null || row.identity === null || row.peer_credential === null)
    return undefined;
  return {
    vaultId: row.id,
    name: row.name,
    address: row.address,
    identity: row.identity,
    certificateSha256: row.certificate_sha256 ?? "",
    credential: wrapper.unwrap(row.peer_credential, credentialContext(row.id)),
  };
}

export async function allVaults(tx: Tx): Promise<readonly Vault[]> {
  return (await tx.query<VaultRow>(`${SELECT} order by vault.name`)).map(vaultOf);
}

export async function vaultNames(tx: Tx): Promise<ReadonlyMap<string, string>> {
  const rows = await tx.query<{ readonly id: string; readonly name: string }>(
    "select id, name from protection.vault",
  );
  return new Map(rows.map((row) => [row.id, row.name]));
}

/** By name. */
export async function listVaults(tx: Tx, request: PageRequest): Promise<Page<Vault>> {
  const limit = pageLimit(request);
  const rows = await tx.query<VaultRow>(
    `${SELECT} where ($1::text is null or vault.name > $1) order by vault.name limit $2`,
    [pageAfter(request)?.[0] ?? null, limit + 1],
  );
  return pageFrom(rows, limit, vaultOf, (row) => [row.name]);
}

function vaultOf(row: VaultRow): Vault {
  return vault.parse({
    id: row.id,
    name: row.name,
    kind: row.kind,
    state: row.state,
    stateDetail: row.state_detail,
    address: row.address,
    identity: row.identity,
    usedBytes: row.used_bytes,
    freeBytes: row.free_bytes,
    measuredAt: row.measured_at?.toISOString() ?? null,
    repositories: row.repositories,
    createdAt: row.created_at.toISOString(),
  });
}

function credentialContext(id: string): string {
  return `peer-credential ${id}`;
}
