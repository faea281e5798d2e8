/** Before a backup: what an interrupted one had stored is taken over, what was lost is stored anew. */

import { reconcilePacks, type BlobWriter, type Repository } from "@mainstay/vault";

/** How many packs were taken over that no index named. The index must be loaded. */
export async function adoptPacks(
  repository: Repository,
  writer: BlobWriter,
  signal?: AbortSignal,
): Promise<number> {
  const packs = await reconcilePacks(repository, signal);
  for (const pack of packs) writer.adopt(pack);
  return packs.length;
}
