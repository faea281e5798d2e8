/**
 * The overlay's map on disk (`PATH.map`): a header that says which disk it belongs to, then records, each with the state
 * of a run of blocks; later records win. Every record's checksum continues that of the record before it, so what a
 * crash left half-written, and whatever lies behind it, is recognised and dropped.
 *
 * Header (512 bytes, little-endian): "MSTOVL1\n", block size u32, identity length u16, u16 0, disk size u64, identity
 * (UTF-8), zeros, and in the last 4 bytes the CRC-32 of all before.
 * Record (16 bytes): first block u48, state u8, u8 0, count u32, CRC-32 of these 12 bytes seeded with the one before.
 */

import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { crc32 } from "node:zlib";

import { assert, systemCodeOf } from "@mainstay/kit";

import type { BlockRun, BlockState, BlockStates } from "./block-states.ts";
import { overlayErrors } from "./errors.ts";

const MAGIC = "MSTOVL1\n";
const HEADER_BYTES = 512;
const IDENTITY_AT = 24;
export const IDENTITY_BYTES_MAX = HEADER_BYTES - IDENTITY_AT - 4;
const RECORD_BYTES = 16;
const RECORD_COUNT_MAX = 2 ** 32 - 1;
const READ_BYTES = 1024 * 1024;
/** A journal longer than this, and four times as long as needed, is written anew when it is opened. */
const COMPACT_BYTES_MIN = 4 * 1024 * 1024;

/** What an overlay is made for. */
export type OverlayDisk = {
  readonly identity: string;
  readonly sizeBytes: number;
  readonly blockBytes: number;
};

export type Journal = {
  /** Appends runs and makes them durable. A failed call may be repeated with the same or more runs. One at a time. */
  append(runs: readonly BlockRun[]): Promise<void>;
  close(): Promise<void>;
};

/** Makes a new journal, durable when this resolves. */
export async function createJournal(path: string, disk: OverlayDisk): Promise<Journal> {
  return writeAnew(path, disk, []);
}

/**
 * Opens a journal and puts what it holds into `states`; `undefined` if there is none. Rejects with
 * `overlay.foreign-disk` or `overlay.damaged`.
 */
export async function openJournal(
  path: string,
  disk: OverlayDisk,
  states: BlockStates,
): Promise<Journal | undefined> {
  const handle = await open(path, "r+").catch((cause: unknown) => {
    if (systemCodeOf(cause) === "ENOENT") return undefined;
    throw cause;
  });
  if (handle === undefined) return undefined;
  try {
    await checkHeader(handle, path, disk);
    const end = await replay(handle, states);
    const runs = [...changedRuns(states)];
    const neededBytes = runs.length * RECORD_BYTES;
    if (end.position > COMPACT_BYTES_MIN && end.position > 4 * neededBytes) {
      await handle.close();
      return await writeAnew(path, disk, runs);
    }
    await handle.truncate(end.position);
    return journalOf(handle, end);
  } catch (cause) {
    await handle.close();
    throw cause;
  }
}

type End = { position: number; checksum: number };

function journalOf(handle: FileHandle, end: End): Journal {
  return {
    append: async (runs) => {
      if (runs.length === 0) return;
      const { bytes, checksum } = encodeRecords(runs, end.checksum);
      // Where a failed append left off does not matter: the next one begins at the same place.
      await writeFully(handle, bytes, end.position);
      await handle.datasync();
      end.position += bytes.length;
      end.checksum = checksum;
    },
    close: () => handle.close(),
  };
}

/** Under another name first, so that a crash leaves the old journal or the new one, whole. */
async function writeAnew(path: string, disk: OverlayDisk, runs: readonly BlockRun[]): Promise<Journal> {
  const temporary = `${path}.new`;
  await rm(temporary, { force: true });
  const handle = await open(temporary, "wx+", 0o600);
  try {
    const header = encodeHeader(disk);
    await writeFully(handle, header, 0);
    const journal = journalOf(handle, { position: HEADER_BYTES, checksum: crc32(header) });
    await journal.append(runs);
    await handle.sync();
    await rename(temporary, path);
    await syncFolder(dirname(path));
    return journal;
  } catch (cause) {
    await handle.close();
    await rm(temporary, { force: true });
    throw cause;
  }
}

/** Makes the names in a folder durable. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

export function* changedRuns(states: BlockStates): Generator<BlockRun> {
  for (const run of states.runs()) if (run.state !== 0) yield run;
}

function encodeHeader(disk: OverlayDisk): Buffer {
  const identity = Buffer.from(disk.identity, "utf8");
  assert(identity.length <= IDENTITY_BYTES_MAX, "the identity of a disk fits the header");
  const header = Buffer.alloc(HEADER_BYTES);
  header.write(MAGIC, 0, "latin1");
  header.writeUInt32LE(disk.blockBytes, 8);
  header.writeUInt16LE(identity.length, 12);
  header.writeBigUInt64LE(BigInt(disk.sizeBytes), 16);
  identity.copy(header, IDENTITY_AT);
  header.writeUInt32LE(crc32(header.subarray(0, HEADER_BYTES - 4)), HEADER_BYTES - 4);
  return header;
}

async function checkHeader(handle: FileHandle, path: string, disk: OverlayDisk): Promise<void> {
  const header = Buffer.alloc(HEADER_BYTES);
  const { bytesRead } = await handle.read(header, 0, HEADER_BYTES, 0);
  const isSound =
    bytesRead === HEADER_BYTES &&
    header.toString("latin1", 0, 8) === MAGIC &&
    crc32(header.subarray(0, HEADER_BYTES - 4)) === header.readUInt32LE(HEADER_BYTES - 4);
  if (!isSound) {
    const message = `Cannot open the overlay map "${path}": found no sound header, wanted one; use another overlay path, or delete this overlay and lose its writes`;
    throw overlayErrors.error("damaged", message, { values: { path } });
  }
  if (header.equals(encodeHeader(disk))) return;
  const identity = header.toString("utf8", IDENTITY_AT, IDENTITY_AT + header.readUInt16LE(12));
  const found = `"${identity}" (${header.readBigUInt64LE(16)} bytes, blocks of ${header.readUInt32LE(8)})`;
  const wanted = `"${disk.identity}" (${disk.sizeBytes} bytes, blocks of ${disk.blockBytes})`;
  const message = `Cannot use the overlay map "${path}": found it made for ${found}, wanted ${wanted}; use another overlay path`;
  throw overlayErrors.error("foreign-disk", message, { values: { path, identity } });
}

/** Puts all sound records into `states`; where they end. */
async function replay(handle: FileHandle, states: BlockStates): Promise<End> {
  const header = Buffer.alloc(HEADER_BYTES);
  await handle.read(header, 0, HEADER_BYTES, 0);
  const end: End = { position: HEADER_BYTES, checksum: crc32(header) };
  const chunk = Buffer.allocUnsafe(READ_BYTES);
  for (;;) {
    const { bytesRead } = await handle.read(chunk, 0, READ_BYTES, end.position);
    const whole = bytesRead - (bytesRead % RECORD_BYTES);
    for (let at = 0; at < whole; at += RECORD_BYTES) {
      if (!applyRecord(chunk.subarray(at, at + RECORD_BYTES), states, end)) return end;
    }
    if (whole < READ_BYTES) return end;
  }
}

/** False if the record is not sound, which means that the journal ends before it. */
function applyRecord(record: Buffer, states: BlockStates, end: End): boolean {
  const checksum = crc32(record.subarray(0, 12), end.checksum);
  const state = record.readUInt8(6);
  const first = record.readUIntLE(0, 6);
  const count = record.readUInt32LE(8);
  const isSound = checksum === record.readUInt32LE(12) && count > 0 && first + count <= states.blockCount;
  if (!isSound || (state !== 0 && state !== 1 && state !== 2)) return false;
  states.set(first, count, state);
  end.position += RECORD_BYTES;
  end.checksum = checksum;
  return true;
}

function encodeRecords(
  runs: readonly BlockRun[],
  seed: number,
): { readonly bytes: Buffer; readonly checksum: number } {
  const bytes = Buffer.alloc(runs.length * RECORD_BYTES);
  let checksum = seed;
  for (const [index, run] of runs.entries()) {
    const record = bytes.subarray(index * RECORD_BYTES, (index + 1) * RECORD_BYTES);
    checksum = encodeRecord(record, run.first, run.count, run.state, checksum);
  }
  return { bytes, checksum };
}

function encodeRecord(record: Buffer, first: number, count: number, state: BlockState, seed: number): number {
  assert(count <= RECORD_COUNT_MAX, "a disk has fewer than 2^32 blocks");
  record.writeUIntLE(first, 0, 6);
  record.writeUInt8(state, 6);
  record.writeUInt32LE(count, 8);
  const checksum = crc32(record.subarray(0, 12), seed);
  record.writeUInt32LE(checksum, 12);
  return checksum;
}

async function writeFully(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}
