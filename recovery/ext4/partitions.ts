/** Where the partitions of a disk lie: MBR with extended partitions, and GPT (UEFI specification, chapter 5). */

import type { BlockDevice } from "@mainstay/nbd";
import { recoveryErrors } from "../errors.ts";

const SECTOR_BYTES = 512;
const MBR_SIGNATURE = 0xaa55;
const GPT_SIGNATURE = "EFI PART";
const GPT_PROTECTIVE = 0xee;
const EXTENDED_TYPES = new Set([0x05, 0x0f, 0x85]);
/** More than any real disk has; a forged table must not keep us reading. */
const GPT_ENTRIES_MAX = 1024;
const GPT_ENTRY_BYTES_MAX = 4096;
const LOGICAL_PARTITIONS_MAX = 64;

export type Partition = {
  /** As the guest's kernel counts: 1 is `vda1`. */
  readonly number: number;
  readonly offset: number;
  readonly length: number;
};

/** Partitions within the disk's bounds; none for a disk without a table. Rejects only when the disk cannot be read. */
export async function readPartitions(device: BlockDevice): Promise<readonly Partition[]> {
  if (device.sizeBytes < 2 * SECTOR_BYTES) return [];
  const sector = await readView(device, 0, SECTOR_BYTES);
  if (sector.getUint16(510, true) !== MBR_SIGNATURE) return [];
  const entries = [0, 1, 2, 3].map((index) => mbrEntry(sector, index));
  const found = entries.some((entry) => entry.type === GPT_PROTECTIVE)
    ? await readGpt(device)
    : await readMbr(device, entries);
  return found.filter(({ offset, length }) => length > 0 && offset + length <= device.sizeBytes);
}

type MbrEntry = { readonly type: number; readonly offset: number; readonly length: number };

function mbrEntry(sector: DataView, index: number): MbrEntry {
  const at = 446 + index * 16;
  const offset = sector.getUint32(at + 8, true) * SECTOR_BYTES;
  return { type: sector.getUint8(at + 4), offset, length: sector.getUint32(at + 12, true) * SECTOR_BYTES };
}

async function readMbr(device: BlockDevice, entries: readonly MbrEntry[]): Promise<readonly Partition[]> {
  const found: Partition[] = [];
  for (const [index, entry] of entries.entries()) {
    if (entry.type === 0) continue;
    if (EXTENDED_TYPES.has(entry.type)) found.push(...(await readLogical(device, entry.offset)));
    else found.push({ number: index + 1, offset: entry.offset, length: entry.length });
  }
  return found;
}

/** A chain of tables: each tells one partition, relative to itself, and the next table, relative to the first. */
async function readLogical(device: BlockDevice, start: number): Promise<readonly Partition[]> {
  const found: Partition[] = [];
  let table = start;
  while (found.length < LOGICAL_PARTITIONS_MAX && table + SECTOR_BYTES <= device.sizeBytes) {
    const sector = await readView(device, table, SECTOR_BYTES);
    if (sector.getUint16(510, true) !== MBR_SIGNATURE) break;
    const own = mbrEntry(sector, 0);
    const next = mbrEntry(sector, 1);
    if (own.type !== 0)
      found.push({ number: 5 + found.length, offset: table + own.offset, length: own.length });
    if (next.type === 0 || next.offset === 0) break;
    table = start + next.offset;
  }
  return found;
}

async function readGpt(device: BlockDevice): Promise<readonly Partition[]> {
  const header = await readView(device, SECTOR_BYTES, SECTOR_BYTES);
  const signature = Buffer.from(header.buffer, header.byteOffset, 8).toString("latin1");
  if (signature !== GPT_SIGNATURE) return [];
  const table = Number(header.getBigUint64(72, true)) * SECTOR_BYTES;
  const count = Math.min(header.getUint32(80, true), GPT_ENTRIES_MAX);
  const entryBytes = header.getUint32(84, true);
  if (entryBytes < 128 || entryBytes > GPT_ENTRY_BYTES_MAX || table + count * entryBytes > device.sizeBytes)
    return [];
  const entries = await readView(device, table, count * entryBytes);
  return Array.from({ length: count }, (_, index) => gptEntry(entries, index, entryBytes)).filter(
    (one) => one !== undefined,
  );
}

function gptEntry(entries: DataView, index: number, entryBytes: number): Partition | undefined {
  const at = index * entryBytes;
  const isUnused = entries.getBigUint64(at, true) === 0n && entries.getBigUint64(at + 8, true) === 0n;
  if (isUnused) return undefined;
  const first = Number(entries.getBigUint64(at + 32, true));
  const last = Number(entries.getBigUint64(at + 40, true));
  return { number: index + 1, offset: first * SECTOR_BYTES, length: (last - first + 1) * SECTOR_BYTES };
}

async function readView(device: BlockDevice, offset: number, length: number): Promise<DataView> {
  const bytes = await device.read(offset, length);
  if (bytes.byteLength !== length)
    throw recoveryErrors.error(
      "filesystem-unreadable",
      `Cannot read partitions: found ${bytes.byteLength} bytes at ${offset}, wanted ${length}`,
    );
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
