/** Reads every pack: its name, its header against the index, and each blob as a restore would open it. */

import { eachAtOnce, messageOf } from "@mainstay/kit";
import { shortId, type ObjectId } from "../format/object-id.ts";
import { decodePackHeader, HEADER_LENGTH_BYTES, type PackedBlob } from "../format/pack-header.ts";
import type { Repository } from "../repository/repository.ts";
import { ownBuffer } from "../work/pool.ts";
import type { CheckProgress } from "./check-repository.ts";
import type { PackSizes } from "./check-packs.ts";
import type { Finding } from "./finding.ts";

type Say = (finding: Finding) => void;

const READS_AT_ONCE_MAX = 3;

/** How many bytes were read. */
export async function readAllPacks(
  repository: Repository,
  sizes: PackSizes,
  say: Say,
  onProgress: (progress: CheckProgress) => void,
  signal?: AbortSignal,
): Promise<number> {
  const totalBytes = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  const indexed = Map.groupBy(repository.table.entries(), (place) => place.pack);
  let doneBytes = 0;
  await eachAtOnce([...sizes.keys()], READS_AT_ONCE_MAX, async (pack) => {
    signal?.throwIfAborted();
    await readPack(repository, pack, indexed.get(pack), say, signal);
    doneBytes += sizes.get(pack) ?? 0;
    onProgress({ phase: "reading data", doneBytes, totalBytes });
  });
  return doneBytes;
}

async function readPack(
  repository: Repository,
  pack: ObjectId,
  indexed: readonly PackedBlob[] | undefined,
  say: Say,
  signal?: AbortSignal,
): Promise<void> {
  // No restore point can need what no index names.
  const severity = indexed === undefined ? "hint" : "error";
  const damaged = (what: string): void =>
    say({
      severity,
      kind: "pack-damaged",
      id: pack,
      text: `Pack ${shortId(pack)} ${what}; fetch it from a replica`,
    });
  let bytes: Uint8Array;
  try {
    bytes = await repository.backend.read({ kind: "data", name: pack }, undefined, signal);
  } catch (cause) {
    signal?.throwIfAborted();
    return damaged(`cannot be read: ${messageOf(cause)}`);
  }
  const header = headerOf(repository, bytes);
  if (typeof header === "string") damaged(`has no usable header: ${header}`);
  else if (indexed !== undefined && !sameBlobs(header, indexed)) {
    const text = `Pack ${shortId(pack)} holds other blobs than the index says; run "mainstay vault repair-index"`;
    say({ severity: "error", kind: "header-differs", id: pack, text });
  }
  const blobs = typeof header === "string" ? (indexed ?? []) : header;
  const { verdict } = await repository.pool.run({
    kind: "verify",
    buffer: ownBuffer(bytes),
    blobs: blobs.map(({ id, offset, length, rawLength }) => ({ id, start: offset, length, rawLength })),
  });
  if (verdict.id !== pack) damaged("does not hash to its name");
  for (const { index, reason } of verdict.damaged) {
    const id = blobs[index]?.id ?? pack;
    const text = `Blob ${shortId(id)} in pack ${shortId(pack)} is damaged: ${reason}`;
    say({ severity, kind: "blob-damaged", id, text });
  }
}

function headerOf(repository: Repository, bytes: Uint8Array): readonly PackedBlob[] | string {
  const pack = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (pack.length < HEADER_LENGTH_BYTES) return "it is too short";
  const lengthAt = pack.length - HEADER_LENGTH_BYTES;
  const length = pack.readUInt32LE(lengthAt);
  if (length > lengthAt) return `its length field says ${length}, more than the pack has`;
  return decodePackHeader(repository.key, pack.subarray(lengthAt - length, lengthAt));
}

function sameBlobs(header: readonly PackedBlob[], indexed: readonly PackedBlob[]): boolean {
  const keys = new Set(header.map(keyOf));
  return header.length >= indexed.length && indexed.every((blob) => keys.has(keyOf(blob)));
}

function keyOf(blob: PackedBlob): string {
  return `${blob.type}${blob.id}@${blob.offset}+${blob.length}/${blob.rawLength}`;
}
