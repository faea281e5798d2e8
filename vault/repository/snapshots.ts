/** The list of restore points of a repository. */

import { eachAtOnce, messageOf } from "@mainstay/kit";
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
  const listed = await Array.fromAsync(repository.backend.list("snapshots", signal));
  const snapshots: Snapshot[] = [];
  await eachAtOnce(listed, READS_AT_ONCE_MAX, async ({ name }) => {
    try {
      snapshots.push(await readSnapshot(repository, name, signal));
    } catch (cause) {
      // Forgotten by another program since it was listed.
      if (!vaultErrors.is(cause, "file-missing")) throw cause;
    }
  });
  return snapshots.sort(byTime);
}

/** Ids decide between two of the same millisecond, so that every reader sees the same order. */
function byTime(left: Snapshot, right: Snapshot): number {
  return Date.parse(left.time) - Date.parse(right.time) || (left.id < right.id ? -1 : 1);
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
    throw vaultErrors.error(
      "damaged-file",
      `Cannot read snapshots/${shortId(name)}: ${messageOf(cause)}; fetch the file from a replica, or choose another restore point`,
      {
        cause,
        values: { kind: "snapshots", name },
      },
    );
  }
}

/** An abbreviated id has at least so many digits. */
const DIGITS_MIN = 4;

/**
 * The snapshot that `wanted` names: `latest`, a whole id, or its beginning (at least four digits). Only the one wanted is
 * read, so that a damaged one is in nobody else's way; `latest` must read all.
 *
 * Errors: `vault.no-such-point`, `vault.ambiguous-point`, `vault.damaged-file`.
 */
export async function findSnapshot(
  repository: Repository,
  wanted: string,
  signal?: AbortSignal,
): Promise<Snapshot> {
  if (wanted === "latest") {
    const newest = (await listSnapshots(repository, signal)).at(-1);
    if (newest !== undefined) return newest;
    throw noSuchPoint(repository, wanted, 0);
  }
  const names = await Array.fromAsync(repository.backend.list("snapshots", signal), ({ name }) => name);
  const matching = names.filter((name) => name.startsWith(wanted));
  const [found, second] = matching;
  if (found === undefined) throw noSuchPoint(repository, wanted, names.length);
  if (second === undefined && wanted.length >= DIGITS_MIN) return readSnapshot(repository, found, signal);
  const which =
    second === undefined ? `it has fewer than ${DIGITS_MIN} digits` : `${matching.length} begin with it`;
  throw vaultErrors.error(
    "ambiguous-point",
    `Cannot choose restore point "${wanted}" of ${repository.backend.location}: ${which}; give more of its digits`,
    { values: { wanted, matching } },
  );
}

function noSuchPoint(repository: Repository, wanted: string, count: number): Error {
  return vaultErrors.error(
    "no-such-point",
    `Cannot find restore point "${wanted}" of ${repository.backend.location} among its ${count}; list them with "mainstay vault points"`,
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
