/** After an interrupted backup: takes over the packs it had stored, so that they need not be sent again. */

import { findUnindexedPacks, type BlobWriter, type Repository } from "@mainstay/vault";

/** How many packs were taken over. */
export async function adoptPacks(
  repository: Repository,
  writer: BlobWriter,
  signal?: AbortSignal,
): Promise<number> {
  const packs = await findUnindexedPacks(repository, signal);
  for (const pack of packs) writer.adopt(pack);
  return packs.length;
}
