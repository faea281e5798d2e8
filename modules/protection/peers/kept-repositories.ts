/** What another Mainstay asks of this one: room for replicas, and a look at what they hold. */

import { mkdir, readdir, stat, statfs } from "node:fs/promises";
import path from "node:path";
import { type PeerId, type PeerRepository, type RepositoryId, restorePointId } from "@mainstay/contract";
import { systemCodeOf } from "@mainstay/kit";
import { type HandlersOf, notFound, requestErrors } from "@mainstay/platform";
import { listSnapshots } from "@mainstay/vault";
import type { MachineHost } from "../machines/machine-host.ts";
import { keptFolder, type ProtectionParts } from "../parts.ts";
import { openLocalRepository, repositoryFolder } from "../repositories/local-repository.ts";
import { type KeptRepository, keepRepository, listKept, readKept } from "./peer-store.ts";

type KeptHandlers = Pick<
  HandlersOf<"peerApi">,
  "status" | "listRepositories" | "createRepository" | "listRestorePoints"
>;

export function keptHandlers(parts: ProtectionParts, host: MachineHost): KeptHandlers {
  const { database, keys, clock, identity } = parts.platform;
  return {
    status: async ({ caller }) => {
      const kept = await database.asSystem("list kept", (tx) => listKept(tx, keys.wrapper, caller.peerId));
      const sizes = await Promise.all(kept.map((one) => folderSize(keptPath(parts, one.id))));
      const root = keptFolder(parts);
      await mkdir(root, { recursive: true, mode: 0o700 });
      const { bavail, bsize } = await statfs(root);
      return {
        name: identity.name,
        version: identity.version,
        usedBytes: sizes.reduce((sum, sizeBytes) => sum + sizeBytes, 0),
        freeBytes: bavail * bsize,
        // Known with the first machine that runs: finding out costs a trial of KVM.
        accelerator: host.accelerator(),
      };
    },
    listRepositories: async ({ caller }) => {
      const kept = await database.asSystem("list kept", (tx) => listKept(tx, keys.wrapper, caller.peerId));
      return { items: await Promise.all(kept.map((one) => describeKept(parts, one))) };
    },
    createRepository: async ({ caller, params, body }) => {
      const { repositoryId } = params;
      const kept = { id: repositoryId, peerId: caller.peerId, ...body };
      await mkdir(keptPath(parts, repositoryId), { recursive: true, mode: 0o700 });
      const isTheirs = await database.asSystem("keep repository", (tx) =>
        keepRepository(tx, keys.wrapper, kept, clock.now()),
      );
      if (!isTheirs)
        throw requestErrors.error("conflict", "Cannot make room: the id belongs to another; make a new id");
      return await describeKept(parts, kept);
    },
    listRestorePoints: async ({ caller, params }) => {
      const kept = await existingKept(parts, caller.peerId, params.repositoryId);
      await using repository = await openLocalRepository(keptPath(parts, kept.id), kept.password);
      const snapshots = await listSnapshots(repository);
      return {
        items: snapshots.map((snapshot) => ({
          id: restorePointId.parse(snapshot.id),
          takenAt: new Date(snapshot.time).toISOString(),
        })),
      };
    },
  };
}

export function keptPath(parts: ProtectionParts, id: RepositoryId): string {
  return repositoryFolder(keptFolder(parts), id);
}

export async function existingKept(
  parts: ProtectionParts,
  owner: PeerId,
  id: RepositoryId,
): Promise<KeptRepository> {
  const { database, keys } = parts.platform;
  const kept = await database.asSystem("read kept", (tx) => readKept(tx, keys.wrapper, owner, id));
  if (kept === undefined) throw notFound("repository", id);
  return kept;
}

async function describeKept(parts: ProtectionParts, kept: KeptRepository): Promise<PeerRepository> {
  const folder = keptPath(parts, kept.id);
  return {
    repositoryId: kept.id,
    deviceName: kept.deviceName,
    customerName: kept.customerName,
    sizeBytes: await folderSize(folder),
    restorePoints: (await names(path.join(folder, "snapshots"))).length,
  };
}

/** Bytes of all files below. */
async function folderSize(folder: string): Promise<number> {
  let sizeBytes = 0;
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true }).catch(ifMissing)) {
    if (!entry.isFile()) continue;
    const stats = await stat(path.join(entry.parentPath, entry.name)).catch(() => undefined);
    sizeBytes += stats?.size ?? 0;
  }
  return sizeBytes;
}

function names(folder: string): Promise<readonly unknown[]> {
  return readdir(folder).catch(ifMissing);
}

function ifMissing(cause: unknown): never[] {
  if (systemCodeOf(cause) === "ENOENT") return [];
  throw cause;
}
