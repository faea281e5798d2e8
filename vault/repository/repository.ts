/** An open repository: its secrets, what its index knows, and the threads that work on it. */

import type { Backend, FileRef } from "../backend/backend.ts";
import type { SealingKey } from "../crypto/seal.ts";
import type { RepositoryConfig } from "../format/config.ts";
import { openEnvelope } from "../format/envelope.ts";
import type { BlobTable } from "../index/blob-table.ts";
import type { WorkPool } from "../work/pool.ts";

/** Made by `createRepository` or `openRepository`; whoever made it disposes of it, which closes the backend too. */
export type Repository = AsyncDisposable & {
  readonly backend: Backend;
  readonly config: RepositoryConfig;
  readonly key: SealingKey;
  /** Where each blob lies. Empty until `loadIndex`. */
  readonly table: BlobTable;
  readonly pool: WorkPool;
};

/** The JSON in a sealed file. Errors: `vault.damaged-file`, `vault.file-missing` and those of the backend. */
export async function readEnvelope(
  repository: Repository,
  file: FileRef,
  signal?: AbortSignal,
): Promise<unknown> {
  return openEnvelope(repository.key, file, await repository.backend.read(file, undefined, signal));
}
