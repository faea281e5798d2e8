/** Repositories that lie in this server's data folder: where, and opening them. */

import { mkdir, rm, stat } from "node:fs/promises";
import path from "node:path";
import { systemCodeOf } from "@mainstay/kit";
import { createRepository, openBackend, openRepository, type Repository } from "@mainstay/vault";

/** Threads of one job on a repository: several jobs run beside each other. */
const THREADS_MAX = 2;

/** The passwords are random: scrypt's passes make them no harder to guess, and each recovery would wait for them. */
const SCRYPT_COST = { N: 32_768, r: 8, p: 1 } as const;

/** The folder of one repository below the vault's folder. */
export function repositoryFolder(vaultFolder: string, id: string): string {
  return path.join(vaultFolder, id);
}

/**
 * Makes the repository unless it is there. What a crash left half made is cleared first: nobody was told of it yet, and keys
 * of an earlier attempt would open to secrets that the config does not have.
 */
export async function makeLocalRepository(folder: string, password: string): Promise<void> {
  if (await isThere(path.join(folder, "config"))) return;
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const made = await createRepository({
    backend: openBackend(folder),
    password,
    threads: 1,
    scryptCost: SCRYPT_COST,
  });
  await made[Symbol.asyncDispose]();
}

/** The caller disposes of it. */
export async function openLocalRepository(folder: string, password: string): Promise<Repository> {
  return await openRepository({ backend: openBackend(folder), password, threads: THREADS_MAX });
}

/** When this server finished storing the snapshot: no clock but ours. `undefined`: it is not there. */
export async function snapshotStoredAt(folder: string, snapshotId: string): Promise<Date | undefined> {
  try {
    return (await stat(path.join(folder, "snapshots", snapshotId))).mtime;
  } catch (cause) {
    if (systemCodeOf(cause) === "ENOENT") return undefined;
    throw cause;
  }
}

/** Bytes of all files, by asking the backend. */
export async function repositorySizeBytes(repository: Repository): Promise<number> {
  let sizeBytes = 0;
  for (const kind of ["data", "index", "snapshots", "keys"] as const)
    for await (const entry of repository.backend.list(kind)) sizeBytes += entry.sizeBytes;
  return sizeBytes;
}

async function isThere(file: string): Promise<boolean> {
  try {
    await stat(file);
    return true;
  } catch (cause) {
    if (systemCodeOf(cause) === "ENOENT") return false;
    throw cause;
  }
}
