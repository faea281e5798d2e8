/** Talking to another Mainstay: its routes, its REST vault and its screens, with its certificate pinned. */

import { request as httpsRequest } from "node:https";
import { type Client, createClient, type Fetch } from "@mainstay/contract";
import { messageOf } from "@mainstay/kit";
import { type Backend, createPacer, createPinnedAgent, openBackend } from "@mainstay/vault";
import { protectionErrors } from "../errors.ts";
import type { PeerAddress } from "../vaults/vault-store.ts";

const CONNECTIONS_MAX = 8;
const TIMEOUT_MS = 30_000;

export type PeerReach = Pick<PeerAddress, "address" | "certificateSha256" | "credential">;

/** The typed client of the peer's routes. */
export function peerClient(peer: PeerReach): Client {
  return createClient({
    baseUrl: peer.address,
    fetch: pinnedFetch(peer),
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

/** Node's own fetch cannot pin a certificate without another library. */
function pinnedFetch(peer: PeerReach): Fetch {
  const agent = peerAgent(peer);
  return (url, init) =>
    new Promise((resolve, reject) => {
      const headers = Object.fromEntries(new Headers(init.headers));
      const options = {
        method: init.method ?? "GET",
        headers,
        agent,
        timeout: TIMEOUT_MS,
        ...signalOf(init),
      };
      const request = httpsRequest(url, options, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          const status = response.statusCode ?? 500;
          const body = status === 204 || status === 304 ? null : new Uint8Array(Buffer.concat(chunks));
          resolve(new Response(body, { status, headers: headersOf(response.headers) }));
        });
      });
      request.on("timeout", () => request.destroy(new Error(`no answer within ${TIMEOUT_MS / 1000} s`)));
      request.on("error", reject);
      request.end(typeof init.body === "string" ? init.body : undefined);
    });
}

function signalOf(init: RequestInit): { readonly signal?: AbortSignal } {
  return init.signal === undefined || init.signal === null ? {} : { signal: init.signal };
}

function headersOf(raw: Readonly<Record<string, string | string[] | undefined>>): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(raw))
    if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(", ") : value);
  return headers;
}
