/** Where a restore point can be run from: this server's vault, or another Mainstay that holds it whole. */

import type { RestorePoint, VaultId } from "@mainstay/contract";
import { must } from "@mainstay/kit";
import { contractErrors, notFound } from "@mainstay/platform";
import { type ProtectionParts, vaultFolder } from "../parts.ts";
import { readPoint } from "../points/point-store.ts";
import { repositoryFolder } from "../repositories/local-repository.ts";
import { findRepository, type StoredRepository } from "../repositories/repository-store.ts";
import { type PeerAddress, readPeerAddress, readVault } from "../vaults/vault-store.ts";

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
  const point = await database.inScope(scope, (tx) => readPoint(tx, restorePointId, new Map()));
  if (point === undefined) throw notFound("restore point", restorePointId);
  // Vaults are the provider's: a customer's scope does not reach them.
  return await database.asSystem("place a restore point", async (tx) => {
    const vault = await readVault(tx, vaultId);
    const replica = point.replicas.find((one) => one.vaultId === vaultId);
    const repository = await findRepository(tx, keys.wrapper, point.deviceId, vaultId);
    if (vault === undefined || replica?.state !== "present" || repository === undefined)
      throw errors.error(
        "point-missing",
        `Cannot use restore point ${point.id.slice(0, 8)} there: that vault does not hold it; choose one that does`,
        { values: { restorePointId, vaultId } },
      );
    const place = { point, vaultId, repository };
    if (vault.kind === "local")
      return { ...place, kind: "local", folder: repositoryFolder(vaultFolder(parts), repository.id) };
    const peer = must(await readPeerAddress(tx, keys.wrapper, vaultId), "a vault off-site has an address");
    return { ...place, kind: "offsite", peer };
  });
}
