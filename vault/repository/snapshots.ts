/** The list of restore points of a repository. */

import { limiter, messageOf } from "@mainstay/kit";
import { vaultErrors } from "../errors.ts";
import { closeEnvelope } from "../format/envelope.ts";
import { isObjectId, shortId, type ObjectId } from "../format/object-id.ts";
import { snapshotFromJson, snapshotToJson, type Snapshot } from "../format/snapshot.ts";
import { readEnvelope, type Repository } from "./repository.ts";

const READS_AT_ONCE_MAX = 8;

/** All snapshots, oldest first. Errors: `vault.damaged-file` naming the first that cannot be read. */
export async function listSnapshots(
  repository: Repository,
  signal?: AbortSignal,
): Promise<readonly Snapshot[]> {
  const reads = limiter(READS_AT_ONCE_MAX);
  const loading: Promise<Snapshot>[] = [];
  for await (const { name } of repository.backend.list("snapshots", signal)) {
    loading.push(reads.run(() => readSnapshot(repository, name, signal)));
  }
  const results = await Promise.allSettled(loading);
  const failed = results.find((result) => result.status === "rejected");
  if (failed !== undefined) throw failed.reason;
  return results
    .flatMap((result) => (result.status === "fulfilled" ? [result.value] : []))
    .sort((left, right) => Date.parse(left.time) - Date.parse(right.time));
}

/** Errors: `vault.damaged-file`, `vault.file-missing`. */
export async function readSnapshot(
  repository: Repository,
  name: string,
  signal?: AbortSignal,
): Promise<Snapshot> {
  const json = await readEnvelope(repository, { kind: "snapshots", name }, signal);
  try {
    if (!isObjectId(name)) throw new Error("its name is not an id");
    return snapshotFromJson(name, json);
  } catch (cause) {
    throw vaultErrors.error("damaged-file", `Cannot read snapshots/${shortId(name)}: ${messageOf(cause)}`, {
      cause,
      values: { kind: "snapshots", name },
    });
  }
}

/**
 * The snapshot that `wanted` names: `latest`, a whole id, or its beginning (at least four digits).
 *
 * Errors: `vault.no-such-point`, `vault.ambiguous-point`.
 */
export async function findSnapshot(
  repository: Repository,
  wanted: string,
  signal?: AbortSignal,
): Promise<Snapshot> {
  const where = repository.backend.location;
  if (
    isObjectId(wanted) &&
    (await repository.backend.stat({ kind: "snapshots", name: wanted })) !== undefined
  ) {
    return readSnapshot(repository, wanted, signal);
  }
  const all = await listSnapshots(repository, signal);
  const matching = wanted === "latest" ? all.slice(-1) : all.filter(({ id }) => id.startsWith(wanted));
  const [found, second] = matching;
  if (found !== undefined && second === undefined && (wanted === "latest" || wanted.length >= 4))
    return found;
  if (second !== undefined || found !== undefined) {
    throw vaultErrors.error(
      "ambiguous-point",
      `Cannot choose restore point "${wanted}" of ${where}: ${matching.length} begin with it; give more of its digits`,
      { values: { wanted, matching: matching.map(({ id }) => id) } },
    );
  }
  throw vaultErrors.error(
    "no-such-point",
    `Cannot find restore point "${wanted}" of ${where} among its ${all.length}; list them with "mainstay vault points"`,
    { values: { wanted } },
  );
}

/** Writes the snapshot down. Only then does the backup exist. */
export async function saveSnapshot(
  repository: Repository,
  snapshot: Omit<Snapshot, "id">,
): Promise<Snapshot> {
  const { id, sealed } = closeEnvelope(repository.key, repository.config.version, snapshotToJson(snapshot));
  await repository.backend.write({ kind: "snapshots", name: id }, [sealed]);
  return { ...snapshot, id: id satisfies ObjectId };
}
