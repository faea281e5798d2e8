/** The routes of vaults, and measuring what they hold. */

import { mkdir, statfs } from "node:fs/promises";
import { decodePeerTicket, type Vault, vaultId } from "@mainstay/contract";
import { messageOf, must, newUuid } from "@mainstay/kit";
import {
  type Actor,
  appendAudit,
  type HandlersOf,
  notFound,
  requestErrors,
  type Tx,
} from "@mainstay/platform";
import { announce } from "../announce.ts";
import { peerClient, unreachable } from "../offsite/peer-client.ts";
import { type ProtectionParts, vaultFolder } from "../parts.ts";
import {
  allVaults,
  insertPeerVault,
  isVaultNameTaken,
  listVaults,
  noteMeasure,
  type PeerAddress,
  readPeerAddress,
  readVault,
  renameVault,
  type VaultMeasure,
} from "./vault-store.ts";

export function vaultHandlers(parts: ProtectionParts): HandlersOf<"vaults"> {
  const { database, clock, keys } = parts.platform;
  return {
    list: ({ caller, query }) => database.inScope(caller.scope, (tx) => listVaults(tx, query)),
    read: ({ caller, params }) => database.inScope(caller.scope, (tx) => existingVault(tx, params.vaultId)),
    create: async ({ caller, body }) => {
      const peer = readInvitation(body.name, body.invitation, clock.now());
      // Asked before it is kept: an invitation that does not work is not a vault.
      const measure = await measurePeer(peer);
      if (measure.state === "unreachable") throw unreachable(body.name, new Error(measure.detail));
      await database.inScope(caller.scope, async (tx) => {
        await refuseTakenName(tx, body.name, null);
        await insertPeerVault(tx, keys.wrapper, peer, clock.now());
        await noteMeasure(tx, peer.vaultId, measure, clock.now());
        await note(parts, tx, caller.actor, "vault.create", await existingVault(tx, peer.vaultId));
      });
      return await database.inScope(caller.scope, (tx) => existingVault(tx, peer.vaultId));
    },
    update: ({ caller, params, body }) =>
      database.inScope(caller.scope, async (tx) => {
        await existingVault(tx, params.vaultId);
        await refuseTakenName(tx, body.name, params.vaultId);
        await renameVault(tx, params.vaultId, body.name);
        const vault = await existingVault(tx, params.vaultId);
        await note(parts, tx, caller.actor, "vault.update", vault);
        return vault;
      }),
  };
}

/** Asks every vault how full it is; one that does not answer is noted as such. */
export async function measureVaults(parts: ProtectionParts): Promise<void> {
  const { database, keys, clock } = parts.platform;
  const vaults = await database.asSystem("list vaults", (tx) => allVaults(tx));
  for (const vault of vaults) {
    const peer = await database.asSystem("read vault", (tx) => readPeerAddress(tx, keys.wrapper, vault.id));
    const measure = peer === undefined ? await measureLocal(parts) : await measurePeer(peer);
    await database.asSystem("note vault", async (tx) => {
      await noteMeasure(tx, vault.id, measure, clock.now());
      if (measure.state !== vault.state) await announceVault(parts, tx, vault);
    });
  }
}

async function measureLocal(parts: ProtectionParts): Promise<VaultMeasure> {
  const folder = vaultFolder(parts);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const { bavail, bsize } = await statfs(folder);
  const [row] = await parts.platform.database.asSystem("vault size", (tx) =>
    tx.query<{ readonly used: number }>(
      `select coalesce(sum(size_bytes), 0)::bigint as used from protection.repository
       join protection.vault on vault.id = repository.vault_id and vault.kind = 'local'`,
    ),
  );
  return { state: "ready", usedBytes: row?.used ?? 0, freeBytes: bavail * bsize };
}

async function measurePeer(peer: PeerAddress): Promise<VaultMeasure> {
  try {
    const { usedBytes, freeBytes } = await peerClient(peer).peerApi.status();
    return { state: "ready", usedBytes, freeBytes };
  } catch (cause) {
    return { state: "unreachable", detail: messageOf(cause) };
  }
}

function readInvitation(name: string, text: string, now: Date): PeerAddress {
  const ticket = decodePeerTicket(text);
  if (ticket === undefined)
    throw requestErrors.error(
      "invalid",
      'Cannot read the invitation: wanted the whole text that begins with "msp1."; copy it again from the other Mainstay',
    );
  const { address, identity, certificateSha256 } = ticket;
  const credential = `${ticket.peerId}.${ticket.secret}`;
  return { vaultId: vaultId.parse(newUuid(now)), name, address, identity, certificateSha256, credential };
}

async function existingVault(tx: Tx, id: string): Promise<Vault> {
  const vault = await readVault(tx, id);
  if (vault === undefined) throw notFound("vault", id);
  return vault;
}

async function refuseTakenName(tx: Tx, name: string, besides: Vault["id"] | null): Promise<void> {
  if (await isVaultNameTaken(tx, name, besides))
    throw requestErrors.error(
      "conflict",
      `Cannot name the vault "${name}": another has that name; choose another`,
    );
}

async function note(
  parts: ProtectionParts,
  tx: Tx,
  actor: Actor,
  action: string,
  vault: Vault,
): Promise<void> {
  const subject = { kind: "vault", id: vault.id, name: vault.name };
  await appendAudit(tx, {
    actor,
    action,
    customerId: null,
    subject,
    after: must(vault, "a vault was changed"),
  });
  await announceVault(parts, tx, vault);
}

async function announceVault(parts: ProtectionParts, tx: Tx, vault: Vault): Promise<void> {
  await announce(parts, tx, "vault.changed", { customerId: null, deviceId: null, subjectId: vault.id });
}
