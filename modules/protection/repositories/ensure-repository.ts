/** The repository that a device backs up into: claimed in the database, then made on disk, then ready. */

import { chmod, mkdir } from "node:fs/promises";
import type { CustomerId, DeviceId } from "@mainstay/contract";
import type { ProtectionParts } from "../parts.ts";
import { vaultFolder } from "../parts.ts";
import { claimLocalVault } from "../vaults/vault-store.ts";
import { makeLocalRepository, repositoryFolder } from "./local-repository.ts";
import { claimRepository, markRepositoryReady, type StoredRepository } from "./repository-store.ts";

/** Two requests for one device's repository make it once. */
const making = new Map<string, Promise<StoredRepository>>();

/** The device's repository on this server, ready to be written. May be called again, also after a crash in the middle. */
export function ensureLocalRepository(
  parts: ProtectionParts,
  device: { readonly id: DeviceId; readonly customerId: CustomerId },
): Promise<StoredRepository> {
  const key = `${parts.platform.dataDirectory} ${device.id}`;
  const known = making.get(key);
  if (known !== undefined) return known;
  const made = ensure(parts, device).finally(() => making.delete(key));
  making.set(key, made);
  return made;
}

async function ensure(
  parts: ProtectionParts,
  device: { readonly id: DeviceId; readonly customerId: CustomerId },
): Promise<StoredRepository> {
  const { database, clock, keys } = parts.platform;
  const claimed = await database.asSystem("claim repository", async (tx) => {
    const vaultId = await claimLocalVault(tx, clock.now());
    const owner = { customerId: device.customerId, deviceId: device.id, vaultId };
    return await claimRepository(tx, keys.wrapper, owner, clock.now());
  });
  if (claimed.state === "ready") return claimed;
  const folder = vaultFolder(parts);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await chmod(folder, 0o700);
  await makeLocalRepository(repositoryFolder(folder, claimed.id), claimed.password);
  await database.asSystem("repository is made", (tx) => markRepositoryReady(tx, claimed.id));
  return { ...claimed, state: "ready" };
}
