/** Dropping restore points. Their content goes with the next runs of the prune. */

import type { ObjectId } from "../format/object-id.ts";
import { lockRepository } from "../repository/lock.ts";
import type { Repository } from "../repository/repository.ts";

/** Removes the restore points under the exclusive lock; those that are gone already are passed over. Errors: `vault.locked`. */
export async function forgetPoints(repository: Repository, points: readonly ObjectId[]): Promise<void> {
  await using lock = await lockRepository(repository, "exclusive");
  for (const name of points) {
    await lock.assertHeld();
    await repository.backend.remove({ kind: "snapshots", name });
  }
}
