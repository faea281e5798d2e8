/** Talking to another Mainstay: its routes, its REST vault and its screens, with its certificate pinned. */

import { type Client, createClient } from "@mainstay/contract";
import { messageOf } from "@mainstay/kit";
import { fetchOver } from "@mainstay/platform";
import { type Backend, createPacer, createPinnedAgent, openBackend } from "@mainstay/vault";
import { protectionErrors } from "../errors.ts";
import type { PeerAddress } from "../vaults/vault-store.ts";

const CONNECTIONS_MAX = 8;

export type PeerReach = Pick<PeerAddress, "address" | "certificateSha256" | "credential">;

/** The typed client of the peer's routes. */
export function peerClient(peer: PeerReach): Client {
  return createClient({
    baseUrl: peer.address,
    fetch: fetchOver(peerAgent(peer)),
    headers: () => ({ authorization: `Bearer ${peer.credential}` }),
  });
}

/** Its REST vault, for one repository kept there. */
export function peerBackend(
  peer: PeerReach,
  repositoryId: string,
  capBytesPerSecond: number | null,
): Backend {
  const [user = "", password = ""] = peer.credential.split(".");
  return openBackend(`rest:${new URL(`/restic/${repositoryId}/`, peer.address).href}`, {
    credentials: { user, password },
    trust: trustOf(peer),
    ...(capBytesPerSecond === null ? {} : { pacing: { sent: createPacer(capBytesPerSecond) } }),
  });
}

/** Connections to the peer only, for whatever protocol. */
export function peerAgent(peer: PeerReach) {
  return createPinnedAgent(new URL(peer.address), trustOf(peer), CONNECTIONS_MAX);
}

/** `protection.vault-unreachable` for what the other side did not answer. */
export function unreachable(name: string, cause: unknown): Error {
  return protectionErrors.error(
    "vault-unreachable",
    `Cannot reach "${name}": ${messageOf(cause)}; check that it runs and that this server may connect to it`,
    { cause, values: { vault: name } },
  );
}

function trustOf(peer: PeerReach) {
  return { kind: "pinned", of: "certificate", sha256: peer.certificateSha256 } as const;
}
