/** Reads every pack: its name, its header against the index, and each blob as a restore would open it. */

import { eachAtOnce, messageOf } from "@mainstay/kit";
import { shortId, type ObjectId } from "../format/object-id.ts";
import { decodePackHeader, HEADER_LENGTH_BYTES, type PackedBlob } from "../format/pack-header.ts";
import type { Repository } from "../repository/repository.ts";
import { ownBuffer } from "../work/pool.ts";
import type { CheckProgress } from "./check-repository.ts";
import type { PackSizes, PackSummaries } from "./check-packs.ts";
import type { Finding } from "./finding.ts";

type Expected = { readonly sizes: PackSizes; readonly summaries: PackSummaries };

type Listener = {
  readonly say: (finding: Finding) => void;
  readonly onProgress: (progress: CheckProgress) => void;
  readonly signal?: AbortSignal | undefined;
};

const READS_AT_ONCE_MAX = 3;

/** How many bytes were read. */
export async function readAllPacks(
  repository: Repository,
  expected: Expected,
  listener: Listener,
): Promise<number> {
  const { sizes } = expected;
  const totalBytes = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  let doneBytes = 0;
  await eachAtOnce([...sizes.keys()], READS_AT_ONCE_MAX, async (pack) => {
    listener.signal?.throwIfAborted();
    await readPack(repository, pack, expected, listener);
    doneBytes += sizes.get(pack) ?? 0;
    listener.onProgress({ phase: "reading data", doneBytes, totalBytes });
  });
  return doneBytes;
}

async function readPack(
  repository: Repository,
  pack: ObjectId,
  { summaries }: Expected,
  { say, signal }: Listener,
): Promise<void> {
  const isIndexed = summaries.has(pack);
  // No restore point can need what no index names.
  const severity = isIndexed ? "error" : "hint";
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
  else if (isIndexed && !isAsIndexed(repository, pack, header, summaries)) {
    const text = `Pack ${shortId(pack)} holds other blobs than the index says; run "mainstay vault repair-index"`;
    say({ severity: "error", kind: "header-differs", id: pack, text });
  }
  const blobs = typeof header === "string" ? indexedBlobs(repository, pack) : header;
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

/** Looks through the whole table, which is bearable because headers are seldom damaged. */
function indexedBlobs(repository: Repository, pack: ObjectId): readonly PackedBlob[] {
  const blobs: PackedBlob[] = [];
  for (const place of repository.table.entries()) if (place.pack === pack) blobs.push(place);
  return blobs;
}

function headerOf(repository: Repository, bytes: Uint8Array): readonly PackedBlob[] | string {
  const pack = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (pack.length < HEADER_LENGTH_BYTES) return "it is too short";
  const lengthAt = pack.length - HEADER_LENGTH_BYTES;
  const length = pack.readUInt32LE(lengthAt);
  if (length > lengthAt) return `its length field says ${length}, more than the pack has`;
  return decodePackHeader(repository.key, pack.subarray(lengthAt - length, lengthAt));
}

/** Whether every place that the index names in the pack is one that its header names. */
function isAsIndexed(
  repository: Repository,
  pack: ObjectId,
  header: readonly PackedBlob[],
  summaries: PackSummaries,
): boolean {
  const confirmed = header.filter((blob) =>
    repository.table
      .places(blob.id, blob.type)
      .some(
        (place) =>
          place.pack === pack &&
          place.offset === blob.offset &&
          place.length === blob.length &&
          place.rawLength === blob.rawLength,
      ),
  );
  return confirmed.length === summaries.get(pack)?.blobs;
}
