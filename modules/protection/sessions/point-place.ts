/** Where a restore point can be run from: this server's vault, or another Mainstay that holds it whole. */

import type { RestorePoint, VaultId } from "@mainstay/contract";
import { contractErrors, notFound } from "@mainstay/platform";
import { type ProtectionParts, vaultFolder } from "../parts.ts";
import { readPoint } from "../points/point-store.ts";
import { repositoryFolder } from "../repositories/local-repository.ts";
import { findRepository, type StoredRepository } from "../repositories/repository-store.ts";
import { type PeerAddress, readPeerAddress, vaultNames } from "../vaults/vault-store.ts";

export type PointPlace = {
  readonly point: RestorePoint;
  readonly vaultId: VaultId;
  readonly repository: StoredRepository;
} & (
  | { readonly kind: "local"; readonly folder: string }
  | { readonly kind: "offsite"; readonly peer: PeerAddress }
);

type Scope = Parameters<ProtectionParts["platform"]["database"]["inScope"]>[0];

const errors = contractErrors("protection");

/** Rejects with `protection.point-missing` unless that vault holds the point whole. */
export async function placePoint(
  parts: ProtectionParts,
  scope: Scope,
  restorePointId: string,
  vaultId: VaultId,
): Promise<PointPlace> {
  const { database, keys } = parts.platform;
  return await database.inScope(scope, async (tx) => {
    const point = await readPoint(tx, restorePointId, await vaultNames(tx));
    if (point === undefined) throw notFound("restore point", restorePointId);
    const replica = point.replicas.find((one) => one.vaultId === vaultId);
    const repository = await findRepository(tx, keys.wrapper, point.deviceId, vaultId);
    if (replica?.state !== "present" || repository === undefined)
      throw errors.error(
        "point-missing",
        `Cannot use restore point ${point.id.slice(0, 8)} there: that vault does not hold it; choose one that does`,
        { values: { restorePointId, vaultId } },
      );
    const peer = await readPeerAddress(tx, keys.wrapper, vaultId);
    const place = { point, vaultId, repository };
    if (peer !== undefined) return { ...place, kind: "offsite", peer };
    return { ...place, kind: "local", folder: repositoryFolder(vaultFolder(parts), repository.id) };
  });
}
