/** Other people's tools against our server, and our client against other people's servers. */

import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdtemp, open, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { connectNbd, type ConnectNbdOptions, type NbdClient } from "./client.ts";
import { openFileDevice } from "./file-device.ts";
import { fileExtents } from "./file-extents.ts";
import { DIRTY } from "./protocol.ts";
import { serveNbd } from "./server.ts";
import {
  compareDevice,
  exerciseDevice,
  faultyDevice,
  memoryDevice,
  newModel,
  seededRandom,
} from "./testing.ts";

const MIB = 1024 * 1024;
const SEED = Number(process.env["SEED"] ?? Date.now() % 1_000_000);
const SERVER_START_MS = 10_000;

const run = promisify(execFile);

let folder: string;
let socket: string;
const ends: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "nbd-"));
  socket = join(folder, "s");
});

afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
  await rm(folder, { recursive: true });
});

/** A server of theirs, ended after the test. */
function start(program: string, args: readonly string[]): ChildProcess {
  const child = spawn(program, args, { stdio: "ignore" });
  const exited = new Promise((resolve) => {
    child.once("exit", resolve);
  });
  ends.push(() => {
    child.kill();
    return exited;
  });
  return child;
}

async function client(more: Partial<ConnectNbdOptions> = {}): Promise<NbdClient> {
  const deadline = performance.now() + SERVER_START_MS;
  for (;;) {
    try {
      const connected = await connectNbd({ path: socket, ...more });
      ends.push(() => connected.close());
      return connected;
    } catch (cause) {
      if (performance.now() > deadline) throw cause;
      await sleep(20);
    }
  }
}

/** Random bytes with holes between them, as a file and in memory. */
async function sparseFile(path: string, sizeBytes: number): Promise<Buffer> {
  const random = seededRandom(SEED);
  const bytes = Buffer.alloc(sizeBytes);
  await writeFile(path, "");
  await truncate(path, sizeBytes);
  const file = await open(path, "r+");
  for (let at = MIB; at < sizeBytes; at += 3 * MIB) {
    const length = Math.min(sizeBytes - at, 4096 * (1 + Math.floor(random() * 200)));
    for (let index = at; index < at + length; index += 1) bytes[index] = 1 + Math.floor(random() * 255);
    await file.write(bytes, at, length, at);
  }
  await file.close();
  return bytes;
}

describe("their tools, our server", () => {
  test("nbdinfo reads size, abilities, list and map", async () => {
    const device = memoryDevice(8 * MIB);
    await device.write(2 * MIB, Buffer.alloc(MIB, 1));
    await using server = await serveNbd({
      exports: new Map([
        ["disk", device],
        ["other", memoryDevice(MIB, { writable: false })],
      ]),
      listen: { path: socket },
    });
    const { stdout: info } = await run("nbdinfo", ["--json", server.uri("disk")]);
    expect(JSON.parse(info)).toMatchObject({
      protocol: "newstyle-fixed",
      structured: true,
      exports: [
        {
          "export-name": "disk",
          "export-size": 8 * MIB,
          is_read_only: false,
          can_multi_conn: true,
          can_fast_zero: true,
          can_df: true,
          contexts: ["base:allocation"],
          block_size_maximum: 32 * MIB,
        },
      ],
    });
    const { stdout: list } = await run("nbdinfo", ["--list", "--json", server.uri()]);
    expect(JSON.parse(list)).toMatchObject({
      exports: [{ "export-name": "disk" }, { "export-name": "other" }],
    });
    const { stdout: map } = await run("nbdinfo", ["--map", "--json", server.uri("disk")]);
    expect(JSON.parse(map)).toEqual([
      { offset: 0, length: 2 * MIB, type: 3, description: "hole,zero" },
      { offset: 2 * MIB, length: MIB, type: 0, description: "data" },
      { offset: 3 * MIB, length: 5 * MIB, type: 3, description: "hole,zero" },
    ]);
  });

  test(`nbdcopy and qemu-img carry a sparse disk in and out unchanged (seed ${SEED})`, async () => {
    const source = join(folder, "source");
    const bytes = await sparseFile(source, 24 * MIB + 4096);
    const device = memoryDevice(bytes.length);
    await using server = await serveNbd({ exports: device, listen: { path: socket } });
    await run("nbdcopy", [source, server.uri()]);
    await compareDevice(device, newModel(bytes, SEED));
    await run("nbdcopy", [server.uri(), join(folder, "copied")]);
    await run("qemu-img", ["compare", "-f", "raw", "-F", "raw", source, join(folder, "copied")]);
    await run("qemu-img", ["compare", "-f", "raw", "-F", "raw", source, server.uri()]);
    await run("qemu-img", ["convert", "-f", "raw", "-O", "qcow2", server.uri(), join(folder, "out.qcow2")]);
    await run("qemu-img", ["compare", "-f", "raw", "-F", "qcow2", source, join(folder, "out.qcow2")]);
    await device.writeZeroes(0, bytes.length);
    await run("qemu-img", [
      "convert",
      "-n",
      "-f",
      "qcow2",
      "-O",
      "raw",
      join(folder, "out.qcow2"),
      server.uri(),
    ]);
    await compareDevice(device, newModel(bytes, SEED));
  });

  test("qemu-io writes, zeroes, discards and verifies patterns, also unaligned", async () => {
    const device = memoryDevice(16 * MIB);
    await using server = await serveNbd({ exports: device, listen: { path: socket } });
    const commands = [
      "write -P 0xaa 0 1M",
      "aio_write -P 0xbb 1M 3M",
      "aio_flush",
      "write -f -P 0xcc 513 1025",
      "write -z 2M 1M",
      "write -z -u 3M 64k",
      "discard 8M 1M",
      "flush",
      "read -P 0xcc 513 1025",
      "read -P 0xbb 1M 1M",
      "read -P 0 2M 1M",
      "read -P 0 3M 64k",
      "read -P 0 8M 1M",
      "read -P 0xbb 3136k 896k",
    ];
    const { stdout } = await run("qemu-io", [
      "-f",
      "raw",
      ...commands.flatMap((line) => ["-c", line]),
      server.uri(),
    ]);
    expect(stdout).not.toMatch(/fail|error/i);
  });

  test("qemu-io is told of an I/O error and of a read-only disk", async () => {
    const device = faultyDevice(memoryDevice(MIB));
    device.inject({ operation: "read", code: "EIO" });
    await using server = await serveNbd({ exports: device, listen: { path: socket } });
    const failed = await run("qemu-io", ["-f", "raw", "-c", "read 0 4k", server.uri()]).catch(
      (cause: unknown) => cause,
    );
    expect(JSON.stringify(failed)).toMatch(/Input\/output error/);
    const fixed = memoryDevice(MIB, { writable: false });
    await using second = await serveNbd({ exports: fixed, listen: { path: `${socket}2` } });
    await expect(run("qemu-io", ["-f", "raw", "-c", "write 0 4k", second.uri()])).rejects.toThrow(
      /permission denied|read-only/i,
    );
  });

  test("fio verifies what it wrote at random with many requests under way", async () => {
    await using server = await serveNbd({ exports: memoryDevice(32 * MIB), listen: { path: socket } });
    const job = [
      "--name=v",
      "--ioengine=nbd",
      `--uri=${server.uri()}`,
      "--rw=randwrite",
      "--bsrange=512-128k",
    ];
    const checks = [
      "--verify=crc32c",
      "--verify_fatal=1",
      "--iodepth=32",
      "--size=32M",
      "--output-format=json",
    ];
    const { stdout } = await run("fio", [...job, ...checks], { cwd: folder });
    expect(stdout).toMatch(/"error" : 0/);
  });
});

describe("their servers, our client", () => {
  test(`nbdkit's memory disk equals the model (seed ${SEED})`, async () => {
    start("nbdkit", ["-f", "-U", socket, "memory", "3M"]);
    const connected = await client();
    await exerciseDevice(connected, newModel(Buffer.alloc(3 * MIB), SEED), 60);
  });

  test("nbdkit without structured replies, and with blocks of 4 KiB only, is read rightly", async () => {
    start("nbdkit", ["-f", "--no-sr", "-U", socket, "pattern", "1M"]);
    const plain = await client();
    expect(plain.contexts).toEqual([]);
    expect(Buffer.from(await plain.read(4095, 9)).toString("hex")).toBe("f80000000000001000");
    const strict = join(folder, "t");
    start("nbdkit", ["-f", "-U", strict, "--filter=blocksize-policy", "pattern", "1M", ...strictPolicy]);
    const blocks = await client({ path: strict });
    expect(Buffer.from(await blocks.read(4095, 9)).toString("hex")).toBe("f80000000000001000");
  });

  test("an error of nbdkit reaches the caller by its name", async () => {
    start("nbdkit", [
      "-f",
      "-U",
      socket,
      "--filter=error",
      "memory",
      "1M",
      "error-pread=ENOSPC",
      "error-pread-rate=1",
    ]);
    const connected = await client();
    await expect(connected.read(0, 10)).rejects.toMatchObject({ values: { errno: "ENOSPC" } });
  });

  test(`qemu-nbd tells holes of a sparse file, whose bytes we read (seed ${SEED})`, async () => {
    const source = join(folder, "source");
    const bytes = await sparseFile(source, 12 * MIB);
    start("qemu-nbd", ["-f", "raw", "-k", socket, "-t", "-r", source]);
    const connected = await client();
    await compareDevice(connected, newModel(bytes, SEED));
    expect(await connected.extents(0, bytes.length)).toEqual(await fileExtents(source));
  });

  test("a dirty bitmap of qemu-nbd tells just the blocks that were written", async () => {
    const image = join(folder, "d.qcow2");
    await run("qemu-img", ["create", "-q", "-f", "qcow2", image, "64M"]);
    await run("qemu-img", ["bitmap", "--add", "-g", "65536", image, "b0"]);
    await run("qemu-io", ["-f", "qcow2", "-c", "write -P 7 1M 64k", "-c", "write -P 8 40M 128k", image]);
    start("qemu-nbd", ["-f", "qcow2", "-k", socket, "-t", "-r", "-B", "b0", image]);
    const context = "qemu:dirty-bitmap:b0";
    const connected = await client({ metaContexts: [context, "base:allocation"] });
    expect(connected.contexts.toSorted()).toEqual(["base:allocation", context]);
    const extents = await connected.blockStatus(0, connected.sizeBytes, context);
    expect(extents.filter((extent) => extent.flags === DIRTY)).toEqual([
      { offset: MIB, length: 65536, flags: DIRTY },
      { offset: 40 * MIB, length: 131072, flags: DIRTY },
    ]);
    expect(await connected.read(40 * MIB, 131072)).toEqual(Buffer.alloc(131072, 8));
    expect((await connected.extents(MIB, 65536)).map((extent) => extent.kind)).toEqual(["data"]);
  });
});

describe("files", () => {
  test(`a writable file equals the model, and holes it had are known (seed ${SEED})`, async () => {
    const path = join(folder, "a,b:c.raw");
    const bytes = await sparseFile(path, 4 * MIB + 100);
    await using device = await openFileDevice(path, { writable: true });
    expect((await device.extents(0, MIB))[0]).toEqual({ offset: 0, length: MIB, kind: "zero" });
    await exerciseDevice(device, newModel(bytes, SEED), 40);
    await device.flush();
  });

  test("holes of 70 GB are found at once, and a hole filled behind a reader's back is data", async () => {
    const path = join(folder, "big.raw");
    await writeFile(path, "");
    await truncate(path, 70e9);
    const file = await open(path, "r+");
    await file.write(Buffer.alloc(8192, 1), 0, 8192, 4096 * 1000);
    await sleep(80);
    await using device = await openFileDevice(path);
    const extents = await device.extents(0, 70e9);
    expect(extents.map((extent) => extent.kind)).toEqual(["zero", "data", "zero"]);
    expect(await fileExtents(path)).toEqual(extents);
    await file.write(Buffer.alloc(4096, 2), 0, 4096, 50e9);
    await file.close();
    expect((await device.extents(50e9, 4096))[0]?.kind).toBe("data");
    expect((await device.read(50e9, 1))[0]).toBe(2);
    expect((await stat(path)).blocks * 512).toBeLessThan(MIB);
  });

  test("what is not a disk is refused, and a file cut short is an error, not zeros", async () => {
    await expect(openFileDevice(join(folder, "none"))).rejects.toMatchObject({ code: "nbd.file-unusable" });
    await expect(openFileDevice("/dev/null")).rejects.toMatchObject({ code: "nbd.file-unusable" });
    const path = join(folder, "f");
    await writeFile(path, Buffer.alloc(9000, 1));
    await using device = await openFileDevice(path);
    await expect(device.write(0, Buffer.from("x"))).rejects.toMatchObject({ code: "nbd.read-only" });
    await truncate(path, 5000);
    await expect(device.read(0, 9000)).rejects.toMatchObject({ code: "nbd.file-truncated" });
  });
});

const strictPolicy = [
  "blocksize-minimum=4096",
  "blocksize-preferred=4096",
  "blocksize-maximum=1M",
  "blocksize-error-policy=error",
];
