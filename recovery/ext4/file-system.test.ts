import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, rm, symlink, truncate, writeFile, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KIB, MIB } from "@mainstay/kit";
import { openFileDevice } from "@mainstay/nbd";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { recoveryErrors } from "../errors.ts";
import { openExt4, type Ext4 } from "./file-system.ts";
import { readPartitions } from "./partitions.ts";

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "mainstay-ext4-test-"));
  const tree = join(directory, "tree");
  await mkdir(join(tree, "boot/grub"), { recursive: true });
  await mkdir(join(tree, "many"));
  for (let index = 0; index < 1500; index += 1)
    await writeFile(join(tree, "many", `a-rather-long-name-for-a-file-${index}`), String(index));
  await writeFile(join(tree, "boot/large"), randomBytes(3 * MIB + 77));
  await writeFile(join(tree, "sparse"), "start");
  await truncate(join(tree, "sparse"), 5 * MIB);
  await writeFile(join(tree, "empty"), "");
  await symlink("boot/large", join(tree, "fast"));
  await symlink(`/${"./".repeat(60)}boot/large`, join(tree, "slow"));
  await symlink("loop", join(tree, "loop"));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

function makeImage(name: string, options: readonly string[], size = "40M"): string {
  const image = join(directory, name);
  execFileSync("/usr/sbin/mke2fs", ["-q", "-F", "-d", join(directory, "tree"), ...options, image, size], {
    stdio: "ignore",
  });
  return image;
}

/** What e2fsprogs' own debugger reads. */
function oracle(image: string, path: string): Buffer {
  return execFileSync("/usr/sbin/debugfs", ["-R", `cat ${path}`, image], {
    stdio: ["ignore", "pipe", "ignore"],
    maxBuffer: 16 * MIB,
  });
}

async function withFiles(image: string, offset: number, use: (files: Ext4) => Promise<void>): Promise<void> {
  await using device = await openFileDevice(image);
  const files = await openExt4(device, { offset, length: device.sizeBytes - offset });
  if (files === undefined) throw new Error("no file system found");
  await use(files);
}

describe("openExt4", () => {
  test.each([
    ["ext4 of today", ["-t", "ext4"]],
    ["ext4 with 1 KiB blocks and no 64-bit", ["-t", "ext4", "-b", "1024", "-O", "^64bit"]],
    ["ext4 with small groups", ["-t", "ext4", "-g", "1024", "-b", "4096"]],
    ["ext2's block map", ["-t", "ext2", "-b", "1024"]],
    ["ext3", ["-t", "ext3", "-I", "128"]],
  ])("reads %s as debugfs does", async (name, options) => {
    const image = makeImage(`${name.replaceAll(/\W/g, "-")}.img`, options);
    await withFiles(image, 0, async (files) => {
      for (const path of ["/boot/large", "/sparse", "/empty", "/many/a-rather-long-name-for-a-file-1499"]) {
        expect(Buffer.from(await files.readFile(path)).equals(oracle(image, path)), path).toBe(true);
      }
      const large = oracle(image, "/boot/large");
      expect(Buffer.from(await files.readFile("/fast")).equals(large)).toBe(true);
      expect(Buffer.from(await files.readFile("/slow")).equals(large)).toBe(true);
      expect((await files.list("/many")).length).toBe(1502);
    });
  });

  test("tells what is missing, what goes in circles, what is no file", async () => {
    await withFiles(makeImage("missing.img", []), 0, async (files) => {
      for (const path of ["/nope", "/loop", "/many", "/empty/x"]) {
        await expect(files.readFile(path)).rejects.toSatisfy((cause) =>
          recoveryErrors.is(cause, "file-missing"),
        );
      }
      expect(await files.exists("/boot/grub")).toBe(true);
      expect(await files.exists("/boot/nope")).toBe(false);
    });
  });

  test("finds nothing in noise, and never more than a typed error in a damaged file system", async () => {
    const seed = Number(process.env["FUZZ_SEED"] ?? Date.now() % 1_000_000);
    const image = makeImage("damaged.img", ["-b", "1024"], "10M");
    const whole = await readFile(image);
    let state = seed;
    const random = (): number => (state = (state * 1_103_515_245 + 12_345) % 2 ** 31);
    for (let round = 0; round < 12; round += 1) {
      const bytes = Buffer.from(whole);
      for (let flip = 0; flip < 40; flip += 1) bytes[1024 + (random() % (600 * KIB))] = random() % 256;
      await writeFile(image, bytes);
      await using device = await openFileDevice(image);
      try {
        const files = await openExt4(device, { offset: 0, length: device.sizeBytes });
        await files?.list("/many");
        await files?.readFile("/boot/large", 8 * MIB);
      } catch (cause) {
        const isTyped =
          recoveryErrors.is(cause, "filesystem-unreadable") || recoveryErrors.is(cause, "file-missing");
        expect(isTyped, `FUZZ_SEED=${seed} round ${round}: ${String(cause)}`).toBe(true);
      }
    }
  });
});

describe("readPartitions", () => {
  test.each([
    ["gpt", "label: gpt\nsize=2M\nsize=20M\nsize=5M\n"],
    ["dos", "label: dos\nsize=2M\nsize=20M\ntype=5\nsize=5M\nsize=6M\n"],
  ])("agrees with sfdisk on %s, and the file system inside is read", async (label, script) => {
    const disk = join(directory, `${label}.img`);
    await writeFile(disk, "");
    await truncate(disk, 64 * MIB);
    execFileSync("/usr/sbin/sfdisk", ["-q", disk], { input: script });
    const listed = JSON.parse(execFileSync("/usr/sbin/sfdisk", ["--json", disk]).toString()) as {
      partitiontable: { partitions: { start: number; size: number; type: string }[] };
    }; // sfdisk's documented form
    const wanted = listed.partitiontable.partitions
      .filter((one) => one.type !== "5")
      .map((one) => [one.start * 512, one.size * 512]);
    await using device = await openFileDevice(disk);
    const found = await readPartitions(device);
    expect(found.map((one) => [one.offset, one.length])).toEqual(wanted);
    execFileSync(
      "dd",
      [
        `if=${makeImage(`${label}-part.img`, [], "20M")}`,
        `of=${disk}`,
        "bs=1M",
        `seek=${(found[1]?.offset ?? 0) / MIB}`,
        "conv=notrunc",
      ],
      { stdio: "ignore" },
    );
    await withFiles(disk, found[1]?.offset ?? 0, async (files) =>
      expect((await files.readFile("/sparse")).byteLength).toBe(5 * MIB),
    );
  });

  test("finds none on a disk without a table", async () => {
    const disk = join(directory, "plain.img");
    await writeFile(disk, Buffer.alloc(MIB));
    await using device = await openFileDevice(disk);
    expect(await readPartitions(device)).toEqual([]);
  });
});
