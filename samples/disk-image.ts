/** A folder tree → a raw, sparse, bootable disk, without mounting anything. */

import { open, readFile, truncate } from "node:fs/promises";
import path from "node:path";
import { assert } from "@mainstay/kit";
import { bootCodeFrom, CORE_START_SECTOR, placedCoreImage } from "./grub.ts";
import { encodeMasterBootRecord, LINUX_PARTITION, SECTOR_BYTES } from "./partition-table.ts";
import { run } from "./program.ts";
import { DISK_SIGNATURE, INODES, JOURNAL_MIB, PARTITION_START_SECTOR, ROOT_UUID } from "./recipe.ts";

export type DiskImageRequest = {
  /** Holds GRUB's `boot.img` and `core.img` in `boot/grub`. */
  readonly root: string;
  readonly diskPath: string;
  readonly sizeBytes: number;
  readonly signal?: AbortSignal | undefined;
};

/** Writes `root` as the only partition of a new disk at `diskPath`. */
export async function writeDiskImage(request: DiskImageRequest): Promise<void> {
  await writeFileSystem(request);
  await truncate(request.diskPath, request.sizeBytes);
  await writeBootSectors(request);
}

async function writeFileSystem({ root, diskPath, sizeBytes, signal }: DiskImageRequest): Promise<void> {
  const startBytes = PARTITION_START_SECTOR * SECTOR_BYTES;
  const sizeKib = Math.floor((sizeBytes - startBytes) / 4096) * 4;
  // Laid out in full now (as holes): else the guest's kernel fills hundreds of megabytes of tables with zeros while it runs.
  const extended = `offset=${startBytes},lazy_itable_init=0,lazy_journal_init=0,hash_seed=${ROOT_UUID}`;
  const shape = [
    "-b",
    "4096",
    "-N",
    String(INODES),
    "-J",
    `size=${JOURNAL_MIB}`,
    "-m",
    "1",
    "-e",
    "remount-ro",
  ];
  const names = ["-U", ROOT_UUID, "-L", "root"];
  await run(
    "write the sample's file system",
    [
      "mke2fs",
      "-q",
      "-F",
      "-t",
      "ext4",
      ...shape,
      ...names,
      "-E",
      extended,
      "-d",
      root,
      diskPath,
      `${sizeKib}k`,
    ],
    { signal },
  );
}

async function writeBootSectors({ root, diskPath, sizeBytes }: DiskImageRequest): Promise<void> {
  const bootImage = await readFile(path.join(root, "boot/grub/boot.img"));
  const coreImage = placedCoreImage(await readFile(path.join(root, "boot/grub/core.img")));
  const coreSectors = coreImage.length / SECTOR_BYTES;
  assert(
    CORE_START_SECTOR + coreSectors <= PARTITION_START_SECTOR,
    "GRUB's core image fits before the partition",
  );
  const record = encodeMasterBootRecord({
    bootCode: bootCodeFrom(bootImage),
    signature: DISK_SIGNATURE,
    partitions: [
      {
        bootable: true,
        type: LINUX_PARTITION,
        startSector: PARTITION_START_SECTOR,
        sectors: sizeBytes / SECTOR_BYTES - PARTITION_START_SECTOR,
      },
    ],
  });
  await using disk = await open(diskPath, "r+");
  await disk.write(record, 0, record.length, 0);
  await disk.write(coreImage, 0, coreImage.length, CORE_START_SECTOR * SECTOR_BYTES);
}
