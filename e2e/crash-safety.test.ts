/** Real backup processes killed, interrupted and starved of room: the repository stays whole and the next run goes on. */

import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, open, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { backupImage } from "@mainstay/capture";
import { servePoint } from "@mainstay/recovery";
import {
  checkRepository,
  executeRestore,
  findSnapshot,
  loadIndex,
  openContent,
  openReader,
  planRestore,
} from "@mainstay/vault";
import {
  createTestFolder,
  createTestRepository,
  diskOf,
  noise,
  reopen,
  TEST_PASSWORD,
  testSeed,
  type TestFolder,
} from "@mainstay/vault/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { packsIn, resticOn } from "./restic.ts";
import { startVaultServer, type VaultServer } from "./rest-vault-server.ts";

const run = promisify(execFile);
const CLI = join(import.meta.dirname, "../apps/cli/main.ts");
const DISK_BYTES = 40 * 1024 * 1024 + 77;
const KILLS = 5;
/** Written into the disk after each backup that was not killed in time. */
const CHANGE_BYTES = 24 * 1024 * 1024;

let work: TestFolder;
let password: string;
beforeAll(async () => {
  work = await createTestFolder();
  password = join(work.path, "password");
  await writeFile(password, TEST_PASSWORD);
});
afterAll(() => work[Symbol.asyncDispose]());

type Place = { readonly location: string; readonly folder: string };

function startBackup(disk: string, location: string): ChildProcess {
  const words = [
    "vault",
    "backup",
    "image",
    disk,
    "--name",
    "sda",
    "--repo",
    location,
    "--password-file",
    password,
    "--json",
  ];
  return spawn(process.execPath, [CLI, ...words], { stdio: ["ignore", "pipe", "pipe"] });
}

type Outcome = { readonly status: number | null; readonly output: string; readonly errors: string };

async function outcomeOf(child: ChildProcess): Promise<Outcome> {
  let [output, errors] = ["", ""];
  child.stdout?.on("data", (text: Buffer) => (output += text.toString()));
  child.stderr?.on("data", (text: Buffer) => (errors += text.toString()));
  await once(child, "close");
  return { status: child.exitCode, output, errors };
}

type Figures = { readonly storedBytes: number; readonly resumedPacks: number };

function figuresOf({ status, output, errors }: Outcome): Figures {
  expect(status, errors).toBe(0);
  return JSON.parse(output.trim().split("\n").at(-1) ?? "") as Figures;
}

/** Numbers in [0, 1) that are the same for a seed. */
function randomOf(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

async function writeDisk(path: string, seed: number, offset = 0, sizeBytes = DISK_BYTES): Promise<void> {
  const file = await open(path, offset === 0 ? "w" : "r+");
  await file.write(noise(sizeBytes, seed), 0, sizeBytes, offset);
  await file.close();
}

async function expectWhole(place: Place): Promise<void> {
  // What a killed program left behind is a lock; restic asks no more than that it be ignored.
  const restic = resticOn(place.folder, work.path);
  expect(await restic("check", "--no-lock", "--no-cache")).toContain("no errors were found");
  await using repository = await reopen(diskOf(place.folder));
  expect((await checkRepository(repository, { readData: true })).errors).toBe(0);
}

async function expectRestores(place: Place, disk: string): Promise<void> {
  await using repository = await reopen(diskOf(place.folder));
  await loadIndex(repository);
  const target = `${disk}.restored`;
  await executeRestore(
    repository,
    await planRestore(await openContent(repository, await findSnapshot(repository, "latest")), target),
  );
  await run("cmp", [disk, target]);
  await run("rm", [target]);
}

async function storedPackBytes(folder: string): Promise<number> {
  const sizes = await Promise.all((await packsIn(folder)).map(async (path) => (await stat(path)).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** Kills backups at random moments; after each the repository is whole, and the run that is let through sends only the rest. */
async function killLoop(place: Place, disk: string): Promise<void> {
  const random = randomOf(testSeed());
  await writeDisk(disk, 1);
  let kills = 0;
  for (let round = 0; kills < KILLS; round += 1) {
    expect(round, "backups end before they can be killed").toBeLessThan(KILLS * 4);
    const child = startBackup(disk, place.location);
    const outcome = outcomeOf(child);
    const packsBefore = (await packsIn(place.folder)).length;
    // Half of them once packs arrive, half at any moment.
    const waitsForPack = round % 2 === 0;
    const deadline = performance.now() + 10_000;
    if (waitsForPack) {
      while (child.exitCode === null && performance.now() < deadline) {
        if ((await packsIn(place.folder)).length > packsBefore) break;
        await sleep(5);
      }
    }
    await sleep(random() * (waitsForPack ? 150 : 1500));
    child.kill("SIGKILL");
    if ((await outcome).status === null) kills += 1;
    else await writeDisk(disk, round + 2, 4096, CHANGE_BYTES);
    await expectWhole(place);
  }
  const heldBytes = await storedPackBytes(place.folder);
  const { storedBytes } = figuresOf(await outcomeOf(startBackup(disk, place.location)));
  expect((await storedPackBytes(place.folder)) - heldBytes).toBeLessThanOrEqual(storedBytes);
  await expectWhole(place);
  await expectRestores(place, disk);
}

describe("kill -9", () => {
  test("on a disk: whole after each, and the last run is the disk byte for byte", async () => {
    const folder = join(work.path, "killed");
    await (await createTestRepository(diskOf(folder)))[Symbol.asyncDispose]();
    await killLoop({ location: folder, folder }, join(work.path, "killed.raw"));
  }, 180_000);

  describe("through a REST server", () => {
    let server: VaultServer;
    beforeAll(async () => {
      server = await startVaultServer();
    });
    afterAll(() => server.close());

    test("whole after each, and the last run is the disk byte for byte", async () => {
      await (await createTestRepository(diskOf(server.folder)))[Symbol.asyncDispose]();
      await killLoop(
        { location: server.location, folder: server.folder },
        join(work.path, "killed-rest.raw"),
      );
    }, 180_000);
  });

  test("what was stored is not sent again", async () => {
    const folder = join(work.path, "resumed");
    const disk = join(work.path, "resumed.raw");
    await (await createTestRepository(diskOf(folder)))[Symbol.asyncDispose]();
    await writeDisk(disk, 99);
    const child = startBackup(disk, folder);
    const outcome = outcomeOf(child);
    while ((await packsIn(folder)).length < 1 && child.exitCode === null) await sleep(5);
    child.kill("SIGKILL");
    expect((await outcome).status).toBeNull();
    const heldBytes = await storedPackBytes(folder);
    expect(heldBytes).toBeGreaterThan(15_000_000);
    const { resumedPacks, storedBytes } = figuresOf(await outcomeOf(startBackup(disk, folder)));
    expect(resumedPacks).toBeGreaterThanOrEqual(1);
    expect(storedBytes).toBeLessThan(DISK_BYTES - heldBytes + 1_000_000);
    await expectWhole({ location: folder, folder });
    await expectRestores({ location: folder, folder }, disk);
  }, 300_000);
});

test("Ctrl-C ends a backup with status 130, no lock, no restore point, and nothing to send again", async () => {
  const folder = join(work.path, "interrupted");
  const disk = join(work.path, "interrupted.raw");
  await (await createTestRepository(diskOf(folder)))[Symbol.asyncDispose]();
  await writeDisk(disk, 7);
  const child = startBackup(disk, folder);
  const outcome = outcomeOf(child);
  while ((await packsIn(folder)).length < 1 && child.exitCode === null) await sleep(5);
  child.kill("SIGINT");
  expect((await outcome).status).toBe(130);
  expect(await readdir(join(folder, "locks"))).toEqual([]);
  expect(await readdir(join(folder, "snapshots"))).toEqual([]);
  expect(await readdir(join(folder, "index"))).not.toEqual([]);
  const heldBytes = await storedPackBytes(folder);
  const { storedBytes } = figuresOf(await outcomeOf(startBackup(disk, folder)));
  expect(storedBytes).toBeLessThan(DISK_BYTES - heldBytes + 1_000_000);
  await expectWhole({ location: folder, folder });
}, 300_000);

test("a full disk is told as such, and the backup goes on once there is room", async ({ skip }) => {
  const folder = join(work.path, "small");
  const disk = join(work.path, "small.raw");
  await mkdir(folder);
  const mounted = await run("mount", ["-t", "tmpfs", "-o", "size=30m", "tmpfs", folder]).then(
    () => undefined,
    (cause: unknown) => String(cause),
  );
  skip(mounted !== undefined, `a small file system cannot be mounted here: ${mounted}`);
  try {
    const repository = join(folder, "repository");
    await (await createTestRepository(diskOf(repository)))[Symbol.asyncDispose]();
    await writeDisk(disk, 8);
    const failed = await outcomeOf(startBackup(disk, repository));
    expect(failed.status).toBe(1);
    expect(JSON.parse(failed.output.trim() || failed.errors.trim())).toMatchObject({
      error: { code: "vault.backend-full" },
    });
    expect(await readdir(join(repository, "snapshots"))).toEqual([]);
    await expectWhole({ location: repository, folder: repository });
    await run("mount", ["-o", "remount,size=80m", folder]);
    figuresOf(await outcomeOf(startBackup(disk, repository)));
    await expectWhole({ location: repository, folder: repository });
    await expectRestores({ location: repository, folder: repository }, disk);
  } finally {
    await run("umount", ["-l", folder]);
  }
}, 300_000);

test("a damaged blob is an I/O error over NBD, and its neighbours are read as they are", async () => {
  const folder = join(work.path, "damaged");
  const disk = join(work.path, "damaged.raw");
  await writeDisk(disk, 5, 0, 2 * 1024 * 1024);
  {
    await using repository = await createTestRepository(diskOf(folder));
    await backupImage({ repository, disks: [{ kind: "raw", name: "sda", path: disk }] });
  }
  const packs = await Promise.all(
    (await packsIn(folder)).map(async (path) => ({ path, bytes: await readFile(path) })),
  );
  const [data] = packs.sort((left, right) => right.bytes.length - left.bytes.length);
  const bytes = data?.bytes ?? Buffer.alloc(0);
  bytes[1_000_000] = (bytes[1_000_000] ?? 0) ^ 1;
  await run("chmod", ["600", data?.path ?? ""]);
  await writeFile(data?.path ?? "", bytes);
  await using repository = await reopen(diskOf(folder));
  const socket = join(work.path, "damaged.sock");
  await using _ = await servePoint({ repository, point: "latest", socket });
  const wanted = await readFile(disk);
  const CHUNK = 256 * 1024;
  const results: string[] = [];
  for (let chunk = 0; chunk < 8; chunk += 1) {
    const pattern = `read ${chunk * CHUNK} ${CHUNK}`;
    const read = await run("qemu-io", [
      "-r",
      "-f",
      "raw",
      "-c",
      pattern,
      `nbd+unix:///?socket=${socket}`,
    ]).then(
      ({ stdout }) => (stdout.includes("read failed") ? stdout : "whole"),
      (cause: unknown) => `${String(cause)} ${(cause as { stdout?: string }).stdout}`,
    );
    results.push(read);
  }
  const failed = results.filter((result) => result !== "whole");
  expect(failed).toHaveLength(1);
  expect(failed[0]).toContain("Input/output error");
  // The ones that answered gave the right bytes.
  const point = await findSnapshot(repository, "latest");
  const reader = openReader(repository, await openContent(repository, point));
  for (const [chunk, result] of results.entries()) {
    if (result !== "whole") continue;
    const at = chunk * CHUNK;
    expect((await reader.read(at, CHUNK)).equals(wanted.subarray(at, at + CHUNK))).toBe(true);
  }
});
