/** The real restic reads, checks, mounts and prunes what we wrote; we read, check and restore what it wrote. */

import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { access, mkdir, open, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { backupFiles, backupImage } from "@mainstay/capture";
import { servePoint } from "@mainstay/recovery";
import {
  checkRepository,
  createDiskBackend,
  executeRestore,
  executeTreeRestore,
  findNode,
  findSnapshot,
  listSnapshots,
  loadIndex,
  openContent,
  openRepository,
  planRestore,
  planTreeRestore,
  type Repository,
} from "@mainstay/vault";
import {
  createTestFolder,
  createTestRepository,
  diskOf,
  noise,
  TEST_PASSWORD,
  type TestFolder,
} from "@mainstay/vault/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { describeTree, makeTree, resticEnvironment, resticOn, timeDifferences } from "./restic.ts";

const run = promisify(execFile);

let work: TestFolder;
let tree: string;
let disk: string;
beforeAll(async () => {
  work = await createTestFolder();
  tree = join(work.path, "tree");
  disk = join(work.path, "disk.raw");
  await mkdir(tree);
  await makeTree(tree);
  await makeDisk(disk);
});
afterAll(() => work[Symbol.asyncDispose]());

/** Data, a hole, data, zeros that are written, and an end that is no multiple of anything. */
async function makeDisk(path: string): Promise<void> {
  const file = await open(path, "w");
  await file.write(noise(700_000, 11), 0, 700_000, 0);
  await file.write(noise(300_000, 12), 0, 300_000, 5_000_000);
  await file.write(Buffer.alloc(600_000), 0, 600_000, 6_000_000);
  await file.truncate(9_000_001);
  await file.close();
}

function openAt(folder: string): Promise<Repository> {
  return openRepository({ backend: createDiskBackend(folder), password: TEST_PASSWORD, threads: 1 });
}

async function restoreTreeOf(repository: Repository, point: string, target: string): Promise<void> {
  await loadIndex(repository);
  const snapshot = await findSnapshot(repository, point);
  const { subtree } = await findNode(repository, snapshot, tree);
  expect(subtree).toBeDefined();
  const plan = await planTreeRestore(repository, subtree ?? snapshot.tree, target);
  expect((await executeTreeRestore(repository, plan)).notSet).toEqual([]);
}

async function expectSameTree(restored: string): Promise<void> {
  const [wanted, found] = [await describeTree(tree), await describeTree(restored)];
  expect(found.entries).toBe(wanted.entries);
  expect(timeDifferences(wanted, found)).toEqual([]);
}

function dataBlobs(repository: Repository): number {
  let count = 0;
  for (const { type } of repository.table.entries()) if (type === "data") count += 1;
  return count;
}

const MADE_BY = [
  { maker: "ours, version 2", init: undefined },
  { maker: "restic's, version 2", init: ["init"] },
  { maker: "restic's, version 1", init: ["init", "--repository-version", "1"] },
] as const;

describe.each(MADE_BY)("in a repository of $maker, what we write", ({ maker, init }) => {
  const name = maker.replaceAll(/[^a-z0-9]+/g, "-");
  let folder: string;
  let restic: ReturnType<typeof resticOn>;
  beforeAll(async () => {
    folder = join(work.path, name);
    restic = resticOn(folder, work.path);
    if (init !== undefined) await restic(...init);
    await using repository =
      init === undefined ? await createTestRepository(diskOf(folder)) : await openAt(folder);
    await backupFiles({ repository, paths: [tree], hostname: "host" });
    await backupImage({ repository, disks: [{ kind: "raw", name: "sda", path: disk }], hostname: "host" });
  });

  test("is listed and found whole by restic, to the last byte", async () => {
    expect(await restic("check", "--read-data")).toContain("no errors were found");
    const points = JSON.parse(await restic("snapshots", "--json")) as { paths: string[]; hostname: string }[];
    expect(points.map(({ paths }) => paths)).toEqual([[tree], ["/disks/sda"]]);
    const entries = await restic("ls", "latest");
    expect(entries).toContain("/disks/sda/00000000/data");
  });

  test("is restored by restic as it was: contents, links, owners, modes, times", async () => {
    const target = join(work.path, `${name}-restored`);
    await restic("restore", "latest", "--path", tree, "--target", target);
    await expectSameTree(join(target, tree));
  });

  test("is dumped by restic: the segments one after the other are the disk", async () => {
    const target = join(work.path, `${name}.raw`);
    await run("sh", ["-c", `restic -r '${folder}' dump latest /disks/sda/00000000/data > '${target}'`], {
      env: resticEnvironment(work.path),
    });
    expect((await readFile(target)).equals(await readFile(disk))).toBe(true);
  });

  test("is not sent again by restic: the same files add no data", async () => {
    await using repository = await openAt(folder);
    await loadIndex(repository);
    const before = dataBlobs(repository);
    await restic("backup", "--force", tree);
    await using after = await openAt(folder);
    await loadIndex(after);
    expect(dataBlobs(after)).toBe(before);
  });
});

const WRITTEN_BY = [
  { how: "version 1", init: ["--repository-version", "1"], backup: [] },
  { how: "version 2", init: [], backup: [] },
  { how: "version 2, not compressed", init: [], backup: ["--compression", "off"] },
  { how: "version 2, compressed hard", init: [], backup: ["--compression", "max"] },
] as const;

describe.each(WRITTEN_BY)("what restic writes ($how)", ({ how, init, backup }) => {
  const name = `restic-${how.replaceAll(/[^a-z0-9]+/g, "-")}`;
  let folder: string;
  beforeAll(async () => {
    folder = join(work.path, name);
    const restic = resticOn(folder, work.path);
    await restic("init", ...init);
    await restic("backup", ...backup, tree, disk);
  });

  test("is whole for us, and restored by us as it was", async () => {
    await using repository = await openAt(folder);
    expect((await checkRepository(repository, { readData: true })).findings).toEqual([]);
    const target = join(work.path, `${name}-restored`);
    await restoreTreeOf(repository, "latest", target);
    await expectSameTree(target);
    // Holes came back as holes.
    const { stdout } = await run("du", ["--block-size=1", join(target, "sparse")]);
    expect(Number.parseInt(stdout, 10)).toBeLessThan(3_000_000);
  });

  test("is not stored again by us: the same files add no data", async () => {
    await using repository = await openAt(folder);
    await loadIndex(repository);
    const before = dataBlobs(repository);
    const result = await backupFiles({ repository, paths: [tree, disk], hostname: "another" });
    expect(result.unreadable).toEqual([]);
    expect(result.readBytes).toBeGreaterThan(19_000_000);
    expect(dataBlobs(repository)).toBe(before);
  });

  test("is served over NBD, any file of it", async () => {
    await using repository = await openAt(folder);
    const points = await listSnapshots(repository);
    const socket = join(work.path, `${name}.sock`);
    await using _ = await servePoint({ repository, point: `${points[0]?.id}:${disk}`, socket });
    const target = join(work.path, `${name}.copy`);
    await run("nbdcopy", [`nbd+unix:///?socket=${socket}`, target]);
    // An NBD export is a multiple of nothing here, but copies may be padded; the disk itself must be equal.
    expect((await readFile(target)).subarray(0, 9_000_001).equals(await readFile(disk))).toBe(true);
  });
});

test("restic mounts our repository, and its files read as they are", async ({ skip }) => {
  const mounted = await access("/dev/fuse").then(
    () => true,
    () => false,
  );
  skip(!mounted, "there is no /dev/fuse on this machine, so restic cannot mount anything");
  const folder = join(work.path, "ours-version-2");
  const target = join(work.path, "mounted");
  await mkdir(target);
  const child = spawn("restic", ["-r", folder, "mount", target], {
    env: resticEnvironment(work.path),
    stdio: "ignore",
  });
  const ended = once(child, "exit");
  try {
    const host = join(target, "hosts", "host", "latest", "disks", "sda", "00000000", "data");
    const isThere = async (): Promise<boolean> =>
      access(host).then(
        () => true,
        () => false,
      );
    for (let tries = 0; tries < 100 && !(await isThere()); tries += 1) await sleep(100);
    expect((await readFile(host)).equals(await readFile(disk))).toBe(true);
  } finally {
    await run("fusermount", ["-u", "-z", target]).catch(() => undefined); // Not mounted if the test failed before.
    child.kill("SIGINT");
    await ended;
  }
});

test("restic adds keys to our repository, forgets and prunes in it, and what stays is whole for us", async () => {
  const folder = join(work.path, "pruned");
  const restic = resticOn(folder, work.path);
  const changing = join(work.path, "changing");
  await mkdir(changing);
  {
    await using repository = await createTestRepository(diskOf(folder));
    for (let round = 0; round < 3; round += 1) {
      await writeFile(join(changing, "file"), noise(3_000_000, round));
      await backupFiles({ repository, paths: [changing] });
    }
    await backupImage({ repository, disks: [{ kind: "raw", name: "sda", path: disk }] });
  }
  const password = join(work.path, "second-password");
  await writeFile(password, "a second password");
  await restic("key", "add", "--new-password-file", password);
  expect((JSON.parse(await restic("key", "list", "--json")) as unknown[]).length).toBe(2);
  await restic("forget", "--keep-last", "1", "--prune", "--max-unused", "0");
  await using repository = await openRepository({
    backend: diskOf(folder),
    password: "a second password",
    threads: 1,
  });
  expect((await checkRepository(repository, { readData: true })).errors).toBe(0);
  const points = await listSnapshots(repository);
  expect(points).toHaveLength(2);
  const image = points.find(({ paths }) => paths[0] === "/disks/sda");
  const target = join(work.path, "after-prune.raw");
  await executeRestore(
    repository,
    await planRestore(await openContent(repository, image ?? (points[0] as never)), target),
  );
  expect((await readFile(target)).equals(await readFile(disk))).toBe(true);
});
