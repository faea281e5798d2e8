/** The master boot record: boot code and up to four partitions in the first sector of a disk. */

import { assert } from "@mainstay/kit";

export const SECTOR_BYTES = 512;

/** Room for the boot code, before the disk's signature and the table. */
export const BOOT_CODE_BYTES_MAX = 440;

/** The table counts sectors in 32 bits. */
export const SECTORS_MAX = 2 ** 32 - 1;

export const LINUX_PARTITION = 0x83;

export type Partition = {
  readonly bootable: boolean;
  /** `LINUX_PARTITION` and its kin. */
  readonly type: number;
  readonly startSector: number;
  readonly sectors: number;
};

export type MasterBootRecord = {
  readonly bootCode: Uint8Array;
  /** 32 bits, by which systems tell disks apart. */
  readonly signature: number;
  readonly partitions: readonly Partition[];
};

const SIGNATURE_OFFSET = 440;
const TABLE_OFFSET = 446;
const ENTRY_BYTES = 16;
const ENTRIES_MAX = 4;

/** The value that says "past what cylinders, heads and sectors can name"; every system since the nineties then reads the LBA. */
const BEYOND_CYLINDERS = Uint8Array.of(0xfe, 0xff, 0xff);

/** The first sector of the disk, 512 bytes. */
export function encodeMasterBootRecord(record: MasterBootRecord): Uint8Array {
  assert(record.bootCode.length <= BOOT_CODE_BYTES_MAX, "boot code fits before the signature");
  assert(record.partitions.length <= ENTRIES_MAX, "a master boot record holds four partitions");
  const sector = new Uint8Array(SECTOR_BYTES);
  const view = new DataView(sector.buffer);
  sector.set(record.bootCode);
  view.setUint32(SIGNATURE_OFFSET, record.signature, true);
  for (const [position, partition] of record.partitions.entries()) {
    sector.set(encodePartition(partition), TABLE_OFFSET + position * ENTRY_BYTES);
  }
  view.setUint16(SECTOR_BYTES - 2, 0xaa55, true);
  return sector;
}

function encodePartition(partition: Partition): Uint8Array {
  assert(
    partition.startSector > 0 && partition.sectors > 0,
    "a partition lies behind the boot record and is not empty",
  );
  assert(
    partition.startSector + partition.sectors - 1 <= SECTORS_MAX,
    "a partition ends within 32 bits of sectors",
  );
  const entry = new Uint8Array(ENTRY_BYTES);
  const view = new DataView(entry.buffer);
  entry[0] = partition.bootable ? 0x80 : 0;
  entry.set(BEYOND_CYLINDERS, 1);
  entry[4] = partition.type;
  entry.set(BEYOND_CYLINDERS, 5);
  view.setUint32(8, partition.startSector, true);
  view.setUint32(12, partition.sectors, true);
  return entry;
}
