/** Finding again what an interrupted backup had stored but not indexed, so that it need not be sent again. */

import type { IndexedPack } from "../format/index-file.ts";
import { isObjectId, type ObjectId } from "../format/object-id.ts";
import { decodePackHeader, HEADER_LENGTH_BYTES } from "../format/pack-header.ts";
import type { Repository } from "./repository.ts";

/** The packs that no index names. Those that cannot be read are left out; `vault check` speaks of them. */
export async function* findUnindexedPacks(
  repository: Repository,
  signal?: AbortSignal,
): AsyncIterable<IndexedPack> {
  for await (const { name, sizeBytes } of repository.backend.list("data", signal)) {
    if (!isObjectId(name) || repository.table.hasPack(name)) continue;
    const blobs = await readPackHeader(repository, name, sizeBytes, signal);
    if (typeof blobs !== "string") yield { id: name, blobs };
  }
}

/** The blobs that a pack's own header names, or why it cannot be told. */
export async function readPackHeader(
  repository: Repository,
  pack: ObjectId,
  sizeBytes: number,
  signal?: AbortSignal,
): Promise<IndexedPack["blobs"] | string> {
  if (sizeBytes < HEADER_LENGTH_BYTES) return `it has ${sizeBytes} bytes, too few for a header`;
  const file = { kind: "data", name: pack } as const;
  const lengthAt = sizeBytes - HEADER_LENGTH_BYTES;
  const lengthField = await repository.backend.read(
    file,
    { offset: lengthAt, length: HEADER_LENGTH_BYTES },
    signal,
  );
  const length = Buffer.from(lengthField).readUInt32LE();
  if (length > lengthAt) return `its header would have ${length} bytes, more than the pack`;
  const sealed = await repository.backend.read(file, { offset: lengthAt - length, length }, signal);
  return decodePackHeader(repository.key, sealed);
}
