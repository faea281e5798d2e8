/** Index files: which pack holds which blob. A cache of the packs' own headers, never the only truth. */

import { isObjectId, type ObjectId } from "./object-id.ts";
import type { PackedBlob } from "./pack-header.ts";

export type IndexedPack = { readonly id: ObjectId; readonly blobs: readonly PackedBlob[] };

export function indexToJson(packs: readonly IndexedPack[], supersedes: readonly ObjectId[] = []): unknown {
  return {
    ...(supersedes.length > 0 ? { supersedes } : {}),
    packs: packs.map((pack) => ({
      id: pack.id,
      blobs: pack.blobs.map(({ id, type, offset, length, rawLength }) => ({
        id,
        type,
        offset,
        length,
        ...(rawLength === 0 ? {} : { uncompressed_length: rawLength }),
      })),
    })),
  };
}

/** Beside the packs, in a field of ours that other clients of the format pass over: packs that a prune may remove. */
const TRASH_FIELD = "mainstay_trash";

/** An index that names no blob, only trash. */
export function trashToJson(packs: readonly ObjectId[]): unknown {
  return { packs: [], [TRASH_FIELD]: packs };
}

/** Throws if the field is there and anything else than a list of packs. */
export function readTrashJson(json: unknown): readonly ObjectId[] {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the field is checked before it is used
  const packs = (json as { [TRASH_FIELD]?: unknown } | null)?.[TRASH_FIELD];
  if (packs === undefined) return [];
  if (!Array.isArray(packs)) throw new Error(`"${TRASH_FIELD}" is not a list`);
  return packs.map((pack: unknown) => {
    if (typeof pack !== "string" || !isObjectId(pack)) throw new Error(`"${TRASH_FIELD}" names no pack`);
    return pack;
  });
}

type BlobJson = {
  id: unknown;
  type: unknown;
  offset: unknown;
  length: unknown;
  uncompressed_length?: unknown;
};

/** Calls `onBlob` for each entry, without keeping them: an index may name millions. Throws on anything else than an index. */
export function readIndexJson(json: unknown, onBlob: (pack: ObjectId, blob: PackedBlob) => void): void {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- each field is checked before it is used
  const packs = (json as { packs?: unknown } | null)?.packs;
  // Written by restic for an index without packs.
  if (packs === null) return;
  if (!Array.isArray(packs)) throw new Error('"packs" is not a list');
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- each field is checked before it is used
  for (const pack of packs as { id: unknown; blobs: unknown }[]) {
    if (typeof pack.id !== "string" || !isObjectId(pack.id)) throw new Error("a pack has no id");
    if (!Array.isArray(pack.blobs)) throw new Error(`"blobs" of pack ${pack.id} is not a list`);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- each field is checked before it is used
    for (const blob of pack.blobs as BlobJson[]) onBlob(pack.id, blobFromJson(blob));
  }
}

function blobFromJson(json: BlobJson): PackedBlob {
  const { id, type, offset, length, uncompressed_length: rawLength = 0 } = json;
  if (typeof id !== "string" || !isObjectId(id)) throw new Error("a blob has no id");
  if (type !== "data" && type !== "tree") throw new Error(`blob ${id} has the unknown type ${String(type)}`);
  if (!isUint32(offset) || !isUint32(length) || !isUint32(rawLength))
    throw new Error(`blob ${id} has no place`);
  return { id, type, offset, length, rawLength };
}

function isUint32(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff;
}
