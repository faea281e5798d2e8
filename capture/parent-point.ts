/** Which restore point a backup builds on. */

import { isDamage, listSnapshots, type Repository, type Snapshot } from "@mainstay/vault";

/**
 * The newest restore point that `matches`. A restore point that cannot be read must not stop every backup to come: then there is
 * no parent, and all is looked at.
 */
export async function findParentPoint(
  repository: Repository,
  matches: (snapshot: Snapshot) => boolean,
  signal?: AbortSignal,
): Promise<Snapshot | undefined> {
  try {
    return (await listSnapshots(repository, signal)).findLast(matches);
  } catch (cause) {
    if (isDamage(cause)) return undefined;
    throw cause;
  }
}
