import { execFileSync } from "node:child_process";
import { mkdtemp, open, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KIB, MIB } from "@mainstay/kit";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { detectAccelerator } from "./accelerator.ts";
import { findBitmap, findDisk, listDisks } from "./dirty-bitmap.ts";
import { bitmapContext } from "./export.ts";
import { bitmapPrefix, reconcileBitmaps, takeMoment, type Moment } from "./fleecing.ts";
import { startMachine, type Machine } from "./machine.ts";
import { moveToDisk } from "./move-disk.ts";
import { bootSector } from "./testing.ts";

let directory: string;
let machine: Machine;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "mainstay-fleecing-test-"));
  const raw = Buffer.alloc(8 * MIB);
  raw.set(bootSector(), 0);
  await writeFile(join(directory, "a.raw"), raw);
  execFileSync("qemu-img", ["create", "-q", "-f", "qcow2", join(directory, "b.qcow2"), "128M"]);
  machine = await startTwoDisks();
});

afterEach(async () => {
  await machine.stop();
  await rm(directory, { recursive: true, force: true });
});

async function startTwoDisks(): Promise<Machine> {
  const file = (path: string, format: "raw" | "qcow2") =>
    ({ source: { kind: "file", path: join(directory, path), format }, bus: "virtio" }) as const;
  const shared = {
    name: "two-disks",
    memoryBytes: 64 * MIB,
    cpus: 1,
    firmware: "bios",
    network: { kind: "none" },
  } as const;
  return startMachine(
    { ...shared, disks: [file("a.raw", "raw"), file("b.qcow2", "qcow2")] },
    { accelerator: await detectAccelerator() },
  );
}

/** As the guest writes: through the device, and so through whatever filter lies under it. */
async function guestWrites(disk: number, pattern: number, offset: number, length = 64 * KIB): Promise<void> {
  const answer = await machine.qmp.human(
    `qemu-io -d /machine/peripheral/device${disk}/virtio-backend "write -P ${pattern} ${offset} ${length}"`,
  );
  expect(answer).not.toMatch(/fail|error/i);
}

/** What the guest wrote is in the host's cache of the raw file at once. */
async function fileHolds(file: string, pattern: number, offset: number): Promise<void> {
  await using handle = await open(join(directory, file));
  const { buffer } = await handle.read(Buffer.alloc(64 * KIB), 0, 64 * KIB, offset);
  expect(buffer.equals(Buffer.alloc(64 * KIB, pattern))).toBe(true);
}

const uri = (moment: Moment, disk: string): string => `nbd+unix:///${disk}?socket=${moment.socketPath}`;

function exportedHolds(moment: Moment, disk: string, pattern: number, offset: number): void {
  const output = execFileSync("qemu-io", [
    "-r",
    "-f",
    "raw",
    "-c",
    `read -P ${pattern} ${offset} 64k`,
    uri(moment, disk),
  ]).toString();
  expect(output).toMatch(/read 65536\/65536/);
  expect(output).not.toMatch(/Pattern verification failed/);
}

/** Dirty ranges as nbdinfo, an independent client, sees them. */
function dirtyRanges(moment: Moment, disk: string, bitmap: string): readonly (readonly [number, number])[] {
  const output = execFileSync("nbdinfo", [
    "--json",
    `--map=${bitmapContext(bitmap)}`,
    uri(moment, disk),
  ]).toString();
  const rows = JSON.parse(output) as readonly { offset: number; length: number; type: number }[]; // nbdinfo's documented form
  return rows.filter((row) => row.type === 1).map((row) => [row.offset, row.length]);
}

function take(point: string, parentPoint?: string, aside = directory): Promise<Moment> {
  const socketPath = join(directory, `export-${point}.sock`);
  return takeMoment(machine.qmp, {
    disks: ["disk0", "disk1"],
    directory: aside,
    socketPath,
    point,
    parentPoint,
  });
}

describe("takeMoment", () => {
  test("shows all disks as they were while the guest goes on, then only the blocks written since", async () => {
    await guestWrites(0, 1, MIB);
    const first = await take("p1");
    expect(first.disks.map((disk) => disk.changes)).toEqual([
      { state: "unknown", reason: "there is no earlier point" },
      { state: "unknown", reason: "there is no earlier point" },
    ]);
    await guestWrites(0, 2, MIB);
    await guestWrites(1, 3, 2 * MIB);
    exportedHolds(first, "disk0", 1, MIB);
    exportedHolds(first, "disk1", 0, 2 * MIB);
    await fileHolds("a.raw", 2, MIB);
    await first.commit();

    await guestWrites(1, 4, 4 * MIB, 4 * KIB);
    const second = await take("p2", "p1");
    expect(second.disks[0]?.changes).toEqual({ state: "known", bitmap: "mainstay-p1" });
    await guestWrites(0, 5, 6 * MIB);
    expect(dirtyRanges(second, "disk0", "mainstay-p1")).toEqual([[MIB, 64 * KIB]]);
    expect(dirtyRanges(second, "disk1", "mainstay-p1")).toEqual([
      [2 * MIB, 64 * KIB],
      [4 * MIB, 64 * KIB],
    ]);
    exportedHolds(second, "disk0", 2, MIB);
    exportedHolds(second, "disk0", 0, 6 * MIB);
    await second.commit();

    const disks = await listDisks(machine.qmp);
    expect(disks.map((disk) => disk.bitmaps.map((bitmap) => bitmap.name))).toEqual([
      ["mainstay-p2"],
      ["mainstay-p2"],
    ]);
    expect((await readdir(directory)).filter((name) => name.startsWith("before-"))).toEqual([]);
  });

  test("loses no change when a point is abandoned", async () => {
    await (await take("p1")).commit();
    await guestWrites(0, 1, MIB);
    const failed = await take("p2", "p1");
    await guestWrites(0, 2, 3 * MIB);
    await failed.abandon();
    await guestWrites(0, 3, 5 * MIB);
    const again = await take("p3", "p1");
    expect(dirtyRanges(again, "disk0", "mainstay-p1")).toEqual([
      [MIB, 64 * KIB],
      [3 * MIB, 64 * KIB],
      [5 * MIB, 64 * KIB],
    ]);
    await again.commit();
  });

  test.runIf(process.getuid?.() === 0)(
    "the guest never sees an error when there is no room to put old blocks aside",
    async () => {
      const small = join(directory, "small");
      execFileSync("mkdir", [small]);
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", small]);
      const moment = await take("p1", undefined, small);
      await guestWrites(0, 9, 4 * MIB, MIB);
      expect(() => exportedHolds(moment, "disk0", 0, 4 * MIB)).toThrow();
      await moment.abandon();
      execFileSync("umount", [small]);
      await fileHolds("a.raw", 9, 4 * MIB);
    },
  );

  test("leaves the machine as it was when it cannot begin", async () => {
    await expect(
      takeMoment(machine.qmp, {
        disks: ["disk0", "disk9"],
        directory,
        socketPath: join(directory, "x.sock"),
        point: "p1",
      }),
    ).rejects.toThrow(/Cannot find disk "disk9" of the machine: found disk0, disk1/);
    await (await take("p1")).commit();
  });
});

describe("bitmaps", () => {
  test("a restart loses those of raw disks, says so, and keeps those of qcow2", async () => {
    await (await take("p1")).commit();
    await guestWrites(1, 1, MIB);
    await machine.stop();
    machine = await startTwoDisks();
    const [raw, qcow2] = await listDisks(machine.qmp);
    expect(raw && findBitmap(raw, "mainstay-p1")).toMatchObject({
      state: "unusable",
      reason: expect.stringContaining("gone"),
    });
    expect(qcow2 && findBitmap(qcow2, "mainstay-p1")).toMatchObject({
      state: "usable",
      bitmap: { dirtyBytes: 64 * KIB },
    });
  });

  test("a crash marks those of qcow2 as inconsistent", async () => {
    await (await take("p1")).commit();
    await machine.stop();
    machine = await startTwoDisks();
    process.kill(machine.pid, "SIGKILL");
    await machine.exited;
    machine = await startTwoDisks();
    const disk = await findDisk(machine.qmp, "disk1");
    expect(findBitmap(disk, "mainstay-p1")).toMatchObject({
      state: "unusable",
      reason: expect.stringContaining("crash"),
    });
    await reconcileBitmaps(machine.qmp, "disk1", undefined);
    expect((await findDisk(machine.qmp, "disk1")).bitmaps).toEqual([]);
  });

  test("a run that died is reconciled by the last durable point", async () => {
    const name = (point: string): string => bitmapPrefix + point;
    const add = (point: string) =>
      machine.qmp.execute("block-dirty-bitmap-add", { node: "disk0", name: name(point) });
    await add("p1");
    await guestWrites(0, 1, MIB);
    await machine.qmp.execute("block-dirty-bitmap-disable", { node: "disk0", name: name("p1") });
    await add("p2");
    await guestWrites(0, 1, 2 * MIB);
    await reconcileBitmaps(machine.qmp, "disk0", "p1");
    const disk = await findDisk(machine.qmp, "disk0");
    expect(disk.bitmaps.map((bitmap) => [bitmap.name, bitmap.recording, bitmap.dirtyBytes])).toEqual([
      ["mainstay-p1", true, 128 * KIB],
    ]);
  });
});

describe("moveToDisk", () => {
  test("moves a running disk to a file, holes stay holes, later writes land there", async () => {
    await guestWrites(0, 6, 3 * MIB);
    const target = join(directory, "moved.raw");
    const seen: number[] = [];
    await moveToDisk(machine.qmp, "disk0", target, {
      onProgress: (progress) => seen.push(progress.doneBytes),
    });
    await guestWrites(0, 7, 5 * MIB);
    await fileHolds("moved.raw", 6, 3 * MIB);
    expect(seen.at(-1)).toBe(8 * MIB);
    await machine.stop();
    const read = (pattern: number, offset: number): string =>
      execFileSync("qemu-io", [
        "-r",
        "-f",
        "raw",
        "-c",
        `read -P ${pattern} ${offset} 64k`,
        target,
      ]).toString();
    expect(read(6, 3 * MIB) + read(7, 5 * MIB)).not.toMatch(/failed/);
    expect(Number(execFileSync("stat", ["-c", "%b", target]).toString()) * 512).toBeLessThan(4 * MIB);
  });

  test("stays on the old disk when aborted", async () => {
    await guestWrites(1, 1, 0, 100 * MIB);
    const stop = new AbortController();
    const moving = moveToDisk(machine.qmp, "disk1", join(directory, "never.raw"), {
      signal: stop.signal,
      rateMax: 4096,
    });
    setTimeout(() => stop.abort(new Error("changed my mind")), 300);
    await expect(moving).rejects.toThrow(/changed my mind|abort/);
    expect((await findDisk(machine.qmp, "disk1")).node).toBe("disk1");
    expect(await readdir(directory)).not.toContain("never.raw");
  });
});
