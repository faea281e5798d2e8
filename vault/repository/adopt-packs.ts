/** Finding again what an interrupted backup had stored but not indexed, so that it need not be sent again. */

import { eachAtOnce } from "@mainstay/kit";
import type { FileEntry } from "../backend/backend.ts";
import type { IndexedPack } from "../format/index-file.ts";
import { isObjectId, type ObjectId } from "../format/object-id.ts";
import { decodePackHeader, HEADER_LENGTH_BYTES } from "../format/pack-header.ts";
import { isDamage } from "./damage.ts";
import type { Repository } from "./repository.ts";

const READS_AT_ONCE_MAX = 8;

/**
 * Compares the loaded index with the packs that are there: what lies in a pack that is gone is forgotten, so that a backup
 * stores it anew instead of relying on it. Gives the packs that no index names, but those that cannot be read; `vault check`
 * speaks of both.
 */
export async function reconcilePacks(
  repository: Repository,
  signal?: AbortSignal,
): Promise<readonly IndexedPack[]> {
  const listed = await Array.fromAsync(repository.backend.list("data", signal));
  const there = new Set(listed.map(({ name }) => name));
  const gone = new Set(repository.table.packs.filter((pack) => !there.has(pack)));
  if (gone.size > 0) repository.table.forgetPacks(gone);
  return readUnindexed(repository, listed, signal);
}

/** The packs that no index names. Those that cannot be read are left out; `vault check` speaks of them. */
export async function findUnindexedPacks(
  repository: Repository,
  signal?: AbortSignal,
): Promise<readonly IndexedPack[]> {
  return readUnindexed(repository, await Array.fromAsync(repository.backend.list("data", signal)), signal);
}

async function readUnindexed(
  repository: Repository,
  listed: readonly FileEntry[],
  signal?: AbortSignal,
): Promise<readonly IndexedPack[]> {
  const unindexed = listed.flatMap(({ name, sizeBytes }) =>
    isObjectId(name) && isUnindexed(repository, name) ? [{ id: name, sizeBytes }] : [],
  );
  const packs: IndexedPack[] = [];
  await eachAtOnce(unindexed, READS_AT_ONCE_MAX, async ({ id, sizeBytes }) => {
    const blobs = await readPackHeader(repository, id, sizeBytes, signal);
    if (typeof blobs !== "string") packs.push({ id, blobs });
  });
  return packs;
}

/** What a prune took out of the index on purpose is not to be found again. */
function isUnindexed({ table }: Repository, pack: ObjectId): boolean {
  return !table.hasPack(pack) && !table.trash.has(pack);
}

/** The blobs that a pack's own header names, or why it cannot be told. Errors: the backend's, but those of damage. */
export async function readPackHeader(
  repository: Pick<Repository, "backend" | "key">,
  pack: ObjectId,
  sizeBytes: number,
  signal?: AbortSignal,
): Promise<IndexedPack["blobs"] | string> {
  if (sizeBytes < HEADER_LENGTH_BYTES) return `it has ${sizeBytes} bytes, too few for a header`;
  const file = { kind: "data", name: pack } as const;
  const lengthAt = sizeBytes - HEADER_LENGTH_BYTES;
  try {
    const lengthField = await repository.backend.read(
      file,
      { offset: lengthAt, length: HEADER_LENGTH_BYTES },
      signal,
    );
    const length = Buffer.from(lengthField).readUInt32LE();
    if (length > lengthAt) return `its header would have ${length} bytes, more than the pack`;
    const sealed = await repository.backend.read(file, { offset: lengthAt - length, length }, signal);
    const blobs = decodePackHeader(repository.key, sealed);
    if (typeof blobs === "string") return blobs;
    const blobBytes = blobs.reduce((sum, blob) => sum + blob.length, 0);
    const foundBytes = lengthAt - length;
    return blobBytes === foundBytes
      ? blobs
      : `its header names ${blobBytes} bytes of blobs, and it holds ${foundBytes}`;
  } catch (cause) {
    if (!isDamage(cause)) throw cause;
    return "it is shorter than it was, or gone";
  }
}
