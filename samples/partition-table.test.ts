/** The boot record against the tools of everyone else. */

import { execFile } from "node:child_process";
import { mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { GIB } from "@mainstay/kit";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { encodeMasterBootRecord, LINUX_PARTITION, SECTOR_BYTES, SECTORS_MAX } from "./partition-table.ts";

const execute = promisify(execFile);
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "mainstay-partition-table-"));
});
afterEach(() => rm(folder, { recursive: true }));

async function diskOf(sizeBytes: number): Promise<string> {
  const disk = path.join(folder, "disk.raw");
  const sectors = sizeBytes / SECTOR_BYTES - 2048;
  const partitions = [{ bootable: true, type: LINUX_PARTITION, startSector: 2048, sectors }];
  await writeFile(
    disk,
    encodeMasterBootRecord({ bootCode: new Uint8Array(440).fill(0x90), signature: 0x12345678, partitions }),
  );
  await truncate(disk, sizeBytes);
  return disk;
}

describe.each([3, 7, 70, 700])("a disk of %i GiB", (gibibytes) => {
  test("has no errors for sfdisk --verify", async () => {
    const { stdout, stderr } = await execute("/usr/sbin/sfdisk", ["--verify", await diskOf(gibibytes * GIB)]);
    expect(stdout + stderr).toMatch(/No errors detected/);
  });

  test("is read by sfdisk as it was meant", async () => {
    const { stdout } = await execute("/usr/sbin/sfdisk", ["--json", await diskOf(gibibytes * GIB)]);
    expect(JSON.parse(stdout)).toMatchObject({
      partitiontable: {
        label: "dos",
        id: "0x12345678",
        partitions: [
          { start: 2048, size: (gibibytes * GIB) / SECTOR_BYTES - 2048, type: "83", bootable: true },
        ],
      },
    });
  });
});

test("four partitions lie in the table in order", async () => {
  const disk = path.join(folder, "four.raw");
  const partitions = [1, 2, 3, 4].map((place) => ({
    bootable: place === 2,
    type: 0x80 + place,
    startSector: place * 2048,
    sectors: 2048,
  }));
  await writeFile(disk, encodeMasterBootRecord({ bootCode: new Uint8Array(), signature: 1, partitions }));
  await truncate(disk, 5 * 2048 * SECTOR_BYTES);
  const { stdout } = await execute("/usr/sbin/sfdisk", ["--json", disk]);
  expect(JSON.parse(stdout)).toMatchObject({
    partitiontable: {
      partitions: partitions.map(({ startSector, type }) => ({
        start: startSector,
        type: type.toString(16),
      })),
    },
  });
});

test("what the table cannot say is refused", () => {
  const record = { bootCode: new Uint8Array(), signature: 1 };
  const partition = { bootable: false, type: LINUX_PARTITION, startSector: 2048, sectors: 1 };
  const over = { ...partition, sectors: SECTORS_MAX };
  expect(() => encodeMasterBootRecord({ ...record, partitions: [over] })).toThrow(/32 bits/);
  expect(() =>
    encodeMasterBootRecord({ ...record, partitions: Array.from({ length: 5 }, () => partition) }),
  ).toThrow(/four/);
  expect(() => encodeMasterBootRecord({ ...record, bootCode: new Uint8Array(441), partitions: [] })).toThrow(
    /boot code/,
  );
});
