/** After an interrupted backup: takes over the packs it had stored, so that they need not be sent again. */

import { findUnindexedPacks, type BlobWriter, type Repository } from "@mainstay/vault";

/** How many packs were taken over. */
export async function adoptPacks(repository: Repository, writer: BlobWriter, signal?: AbortSignal): Promise<number> {
  let count = 0;
  for await (const pack of findUnindexedPacks(repository, signal)) {
    writer.adopt(pack);
    count += 1;
  }
  return count;
}
