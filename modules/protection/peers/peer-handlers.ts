/** The routes by which another Mainstay is invited, and its access taken away. */

import { encodePeerTicket } from "@mainstay/contract";
import { must } from "@mainstay/kit";
import {
  type Actor,
  appendAudit,
  type HandlersOf,
  notFound,
  type PeerCaller,
  requestErrors,
  type Tx,
} from "@mainstay/platform";
import { announce } from "../announce.ts";
import type { ProtectionParts } from "../parts.ts";
import {
  invitePeer,
  isPeerNameTaken,
  listPeers,
  notePeerSeen,
  peerOfSecret,
  readPeer,
  revokePeer,
} from "./peer-store.ts";

export function peerHandlers(parts: ProtectionParts): HandlersOf<"peers"> {
  const { database } = parts.platform;
  return {
    list: ({ caller }) => database.inScope(caller.scope, async (tx) => ({ items: await listPeers(tx) })),
    invite: ({ caller, body }) => invite(parts, caller.actor, body.name),
    revoke: ({ caller, params }) =>
      database.inScope(caller.scope, async (tx) => {
        const before = await readPeer(tx, params.peerId);
        if (before === undefined) throw notFound("peer", params.peerId);
        await revokePeer(tx, params.peerId);
        await note(parts, tx, caller.actor, "peer.revoke", before);
        return must(await readPeer(tx, params.peerId), "the peer was there just now");
      }),
  };
}

/** Makes the peer and the text that the other Mainstay pastes. */
export async function invite(parts: ProtectionParts, actor: Actor, name: string) {
  const { database, clock, identity } = parts.platform;
  return await database.asSystem("invite peer", async (tx) => {
    if (await isPeerNameTaken(tx, name))
      throw requestErrors.error(
        "conflict",
        `Cannot invite "${name}": there is a peer of that name; choose another`,
      );
    const made = await invitePeer(tx, name, clock.now());
    const peer = must(await readPeer(tx, made.id), "the peer was just made");
    await note(parts, tx, actor, "peer.invite", peer);
    const text = encodePeerTicket({
      address: identity.address(),
      peerId: made.id,
      secret: made.secret,
      identity: identity.key.publicKey,
      certificateSha256: identity.certificate.sha256,
    });
    return { peer, text };
  });
}

/** For every route of access `peer`. */
export async function authenticatePeer(
  parts: ProtectionParts,
  id: string,
  secret: string,
): Promise<PeerCaller | undefined> {
  const { database, clock } = parts.platform;
  return await database.asSystem("authenticate peer", async (tx) => {
    const peer = await peerOfSecret(tx, id, secret);
    if (peer === undefined) return undefined;
    await notePeerSeen(tx, peer.id, clock.now());
    const actor = { kind: "peer", id: peer.id, name: peer.name } as const;
    return { kind: "peer", peerId: peer.id, name: peer.name, actor };
  });
}

async function note(
  parts: ProtectionParts,
  tx: Tx,
  actor: Actor,
  action: string,
  peer: { readonly id: string; readonly name: string },
): Promise<void> {
  const subject = { kind: "peer", id: peer.id, name: peer.name };
  await appendAudit(tx, { actor, action, customerId: null, subject });
  await announce(parts, tx, "peer.changed", { customerId: null, deviceId: null, subjectId: peer.id });
}
