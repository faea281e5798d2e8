/** Other Mainstays that keep replicas here, and the repositories kept for them, in the database. */

import { randomBytes, timingSafeEqual } from "node:crypto";
import { type Peer, peer, type PeerId, peerId, type RepositoryId, repositoryId } from "@mainstay/contract";
import { newUuid } from "@mainstay/kit";
import type { Tx, Wrapper } from "@mainstay/platform";
import { hashSecret } from "../repositories/repository-store.ts";

export type KeptRepository = {
  readonly id: RepositoryId;
  readonly peerId: PeerId;
  readonly deviceName: string;
  readonly customerName: string;
  readonly password: string;
};

type PeerRow = {
  readonly id: string;
  readonly name: string;
  readonly secret_hash: Buffer;
  readonly state: string;
  readonly last_seen_at: Date | null;
  readonly created_at: Date;
  readonly repositories: number;
};

type KeptRow = {
  readonly id: string;
  readonly peer_id: string;
  readonly device_name: string;
  readonly customer_name: string;
  readonly password: Buffer;
};

const SELECT = `select peer.*, (select count(*)::int from protection.kept_repository where peer_id = peer.id)
  as repositories from protection.peer`;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** The secret is answered this once. */
export async function invitePeer(
  tx: Tx,
  name: string,
  now: Date,
): Promise<{ readonly id: PeerId; readonly secret: string }> {
  const id = peerId.parse(newUuid(now));
  const secret = randomBytes(32).toString("base64url");
  await tx.query(
    "insert into protection.peer (id, name, secret_hash, state, created_at) values ($1, $2, $3, 'invited', $4)",
    [id, name, hashSecret(secret), now],
  );
  return { id, secret };
}

export async function isPeerNameTaken(tx: Tx, name: string): Promise<boolean> {
  return (await tx.query("select 1 from protection.peer where name = $1", [name])).length > 0;
}

/** The peer that the pair proves, unless it is revoked. */
export async function peerOfSecret(
  tx: Tx,
  id: string,
  secret: string,
): Promise<{ readonly id: PeerId; readonly name: string } | undefined> {
  if (!UUID.test(id)) return undefined;
  const [row] = await tx.query<PeerRow>(`${SELECT} where peer.id = $1`, [id]);
  const fits = timingSafeEqual(row?.secret_hash ?? Buffer.alloc(32), hashSecret(secret));
  if (!fits || row === undefined || row.state === "revoked") return undefined;
  return { id: peerId.parse(row.id), name: row.name };
}

export async function notePeerSeen(tx: Tx, id: PeerId, at: Date): Promise<void> {
  await tx.query(
    `update protection.peer set last_seen_at = $2, state = 'active' where id = $1 and state <> 'revoked'
       and (last_seen_at is null or last_seen_at < $2::timestamptz - interval '10 seconds')`,
    [id, at],
  );
}

export async function revokePeer(tx: Tx, id: PeerId): Promise<void> {
  await tx.query("update protection.peer set state = 'revoked' where id = $1", [id]);
}

export async function readPeer(tx: Tx, id: string): Promise<Peer | undefined> {
  const [row] = await tx.query<PeerRow>(`${SELECT} where peer.id = $1`, [id]);
  return row === undefined ? undefined : peerOf(row);
}

export async function listPeers(tx: Tx): Promise<Peer[]> {
  return (await tx.query<PeerRow>(`${SELECT} order by peer.name`)).map(peerOf);
}

/** Made or renamed. `false`: the id is another peer's. */
export async function keepRepository(
  tx: Tx,
  wrapper: Wrapper,
  kept: KeptRepository,
  now: Date,
): Promise<boolean> {
  const rows = await tx.query(
    `insert into protection.kept_repository (id, peer_id, device_name, customer_name, password, created_at)
     values ($1, $2, $3, $4, $5, $6)
     on conflict (id) do update set device_name = excluded.device_name, customer_name = excluded.customer_name,
       password = excluded.password where kept_repository.peer_id = excluded.peer_id returning id`,
    [
      kept.id,
      kept.peerId,
      kept.deviceName,
      kept.customerName,
      wrapper.wrap(kept.password, passwordContext(kept.id)),
      now,
    ],
  );
  return rows.length > 0;
}

/** Without its password: for access control. */
export async function keptRepositoryOf(
  tx: Tx,
  owner: PeerId,
  id: RepositoryId,
): Promise<{ readonly id: RepositoryId } | undefined> {
  const [row] = await tx.query<KeptRow>(
    "select * from protection.kept_repository where id = $1 and peer_id = $2",
    [id, owner],
  );
  return row === undefined ? undefined : { id: repositoryId.parse(row.id) };
}

export async function readKept(
  tx: Tx,
  wrapper: Wrapper,
  owner: PeerId,
  id: RepositoryId,
): Promise<KeptRepository | undefined> {
  const [row] = await tx.query<KeptRow>(
    "select * from protection.kept_repository where id = $1 and peer_id = $2",
    [id, owner],
  );
  return row === undefined ? undefined : keptOf(row, wrapper);
}

export async function listKept(tx: Tx, wrapper: Wrapper, owner: PeerId): Promise<readonly KeptRepository[]> {
  const rows = await tx.query<KeptRow>(
    "select * from protection.kept_repository where peer_id = $1 order by created_at, id",
    [owner],
  );
  return rows.map((row) => keptOf(row, wrapper));
}

function keptOf(row: KeptRow, wrapper: Wrapper): KeptRepository {
  return {
    id: repositoryId.parse(row.id),
    peerId: peerId.parse(row.peer_id),
    deviceName: row.device_name,
    customerName: row.customer_name,
    password: wrapper.unwrap(row.password, passwordContext(row.id)),
  };
}

function peerOf(row: PeerRow): Peer {
  return peer.parse({
    id: row.id,
    name: row.name,
    state: row.state,
    lastSeenAt: row.last_seen_at?.toISOString() ?? null,
    repositories: row.repositories,
    usedBytes: null,
    createdAt: row.created_at.toISOString(),
  });
}

function passwordContext(id: string): string {
  return `kept-repository-password ${id}`;
}
