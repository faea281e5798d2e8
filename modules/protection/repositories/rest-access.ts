/** Who may do what at `/restic/ID/`: agents and restic clients with their repository, peers with what is kept for them. */

import { statfs } from "node:fs/promises";
import { repositoryId } from "@mainstay/contract";
import {
  createRestVault,
  type RawMount,
  type VaultAccess as RestAccess,
  type VaultAccessRequest as RestAccessRequest,
} from "@mainstay/platform";
import { keptFolder, type ProtectionParts, vaultFolder } from "../parts.ts";
import { keptRepositoryOf, peerOfSecret } from "../peers/peer-store.ts";
import { repositoryFolder } from "./local-repository.ts";
import { repositoryOfCredential } from "./repository-store.ts";

/** Left free for the database and the server's own logs: a vault that fills the disk to the end takes the server down. */
export const FREE_BYTES_MIN = 256 * 1024 * 1024;

/** How long an answer of `authorize` is remembered: a backup makes thousands of requests with the same credentials. */
const REMEMBER_MS = 5_000;
const REMEMBER_MAX = 1000;

export type OnSnapshotStored = (repositoryId: string) => void;

export function restMount(parts: ProtectionParts, onSnapshot: OnSnapshotStored): RawMount {
  const authorize = rememberShortly(parts, (request) => authorizeRest(parts, request));
  const vault = createRestVault({
    prefix: "/restic",
    authorize,
    onStored: (event) => {
      if (event.kind === "snapshots") onSnapshot(event.repository);
    },
    onFailure: (cause, request) => parts.platform.log(`rest vault: ${request}: ${String(cause)}`),
  });
  return { prefix: "/restic/", handle: (request, response) => void vault(request, response) };
}

async function authorizeRest(parts: ProtectionParts, request: RestAccessRequest): Promise<RestAccess> {
  const wanted = repositoryId.safeParse(request.repository);
  const { database } = parts.platform;
  const credential = { username: request.user, password: request.password };
  const opened = await database.asSystem("authorize restic", (tx) => repositoryOfCredential(tx, credential));
  if (opened !== undefined) {
    if (opened !== wanted.data) return { kind: "forbidden" };
    return allowed(vaultFolder(parts), opened);
  }
  const kept = await database.asSystem("authorize peer", async (tx) => {
    const peer = await peerOfSecret(tx, request.user, request.password);
    if (peer === undefined) return undefined;
    return wanted.success ? ((await keptRepositoryOf(tx, peer.id, wanted.data)) ?? null) : null;
  });
  if (kept === undefined) return { kind: "unknown" };
  return kept === null ? { kind: "forbidden" } : allowed(keptFolder(parts), kept.id);
}

function allowed(root: string, id: string): RestAccess {
  return {
    kind: "allowed",
    folder: repositoryFolder(root, id),
    mode: "append-only",
    mayStore: async (sizeBytes) => {
      const { bavail, bsize } = await statfs(root);
      return bavail * bsize - sizeBytes >= FREE_BYTES_MIN;
    },
  };
}

type Authorize = (request: RestAccessRequest) => Promise<RestAccess>;

function rememberShortly(parts: ProtectionParts, authorize: Authorize): Authorize {
  const known = new Map<string, { readonly access: Promise<RestAccess>; readonly untilMs: number }>();
  return (request) => {
    const key = JSON.stringify([request.user, request.password, request.repository]);
    const nowMs = parts.platform.clock.monotonicMs();
    const remembered = known.get(key);
    if (remembered !== undefined && remembered.untilMs > nowMs) return remembered.access;
    if (known.size >= REMEMBER_MAX) known.clear();
    const access = authorize(request);
    known.set(key, { access, untilMs: nowMs + REMEMBER_MS });
    access.catch(() => known.delete(key));
    return access;
  };
}
