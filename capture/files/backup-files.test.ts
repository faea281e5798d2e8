/** Backups of files, and their restores. */

import { execFile } from "node:child_process";
import { chmod, lstat, mkdir, readFile, readlink, rm, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import {
  createMemoryBackend,
  executeTreeRestore,
  findNode,
  loadIndex,
  openContent,
  openReader,
  openWriter,
  planTreeRestore,
  readTree,
  saveSnapshot,
  type Repository,
  type Snapshot,
  type TreeNode,
} from "@mainstay/vault";
import {
  createFaultyBackend,
  createTestFolder,
  createTestRepository,
  noise,
  reopen,
  testSeed,
  type TestFolder,
} from "@mainstay/vault/testing";
import { assert, asyncProperty, nat, tuple } from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { backupFiles } from "./backup-files.ts";

const run = promisify(execFile);

let work: TestFolder;
beforeAll(async () => {
  work = await createTestFolder();
});
afterAll(() => work[Symbol.asyncDispose]());

async function makeFolder(name: string, files: Readonly<Record<string, Buffer>>): Promise<string> {
  const path = join(work.path, name);
  await mkdir(path);
  for (const [file, bytes] of Object.entries(files)) await writeFile(join(path, file), bytes);
  return path;
}

async function restore(repository: Repository, point: Snapshot, path: string, name: string): Promise<string> {
  const target = join(work.path, name);
  const { subtree } = await findNode(repository, point, path);
  await executeTreeRestore(repository, await planTreeRestore(repository, subtree ?? point.tree, target));
  return target;
}

test("files that did not change are not read again, changed ones are", async () => {
  const path = await makeFolder("changing", {
    a: noise(3_000_000, 1),
    b: noise(10_000, 2),
    empty: Buffer.alloc(0),
  });
  await using repository = await createTestRepository();
  const first = await backupFiles({ repository, paths: [path] });
  expect(first).toMatchObject({ files: 3, folders: 1, readBytes: 3_010_000, unreadable: [] });
  await writeFile(join(path, "b"), noise(10_001, 3));
  const second = await backupFiles({ repository, paths: [path] });
  expect(second).toMatchObject({ parent: first.snapshot.id, files: 3, readBytes: 10_001 });
  const target = await restore(repository, second.snapshot, path, "changed-restored");
  expect((await readFile(join(target, "a"))).equals(noise(3_000_000, 1))).toBe(true);
  expect((await readFile(join(target, "b"))).equals(noise(10_001, 3))).toBe(true);
});

test("a file is read at any place of it as it was", async () => {
  const bytes = Buffer.concat([noise(5_000_000, 4), Buffer.alloc(3_000_000), noise(2_345_678, 5)]);
  const path = await makeFolder("ranges", { file: bytes });
  await using repository = await createTestRepository();
  const { snapshot } = await backupFiles({ repository, paths: [path] });
  const reader = openReader(repository, await openContent(repository, snapshot, join(path, "file")));
  const ranges = tuple(nat(bytes.length), nat(1_500_000));
  await assert(
    asyncProperty(ranges, async ([offset, wanted]) => {
      const length = Math.min(wanted, bytes.length - offset);
      expect((await reader.read(offset, length)).equals(bytes.subarray(offset, offset + length))).toBe(true);
    }),
    { seed: testSeed(), numRuns: 60 },
  );
  await expect(reader.read(bytes.length - 1, 2)).rejects.toThrow("within the file");
});

test("names and link targets that are not UTF-8 come back byte for byte", async () => {
  const path = await makeFolder("bytes", {});
  const name = Buffer.concat([Buffer.from(`${path}/`), Buffer.from([0xff, 0xc3, 0x28, 0x0a])]);
  await writeFile(name, "x");
  await run("mkfifo", [join(path, "pipe")]);
  await symlink(Buffer.from([0x61, 0xfe]), join(path, "link"));
  await using repository = await createTestRepository();
  const { snapshot } = await backupFiles({ repository, paths: [path] });
  const target = await restore(repository, snapshot, path, "bytes-restored");
  const restored = Buffer.concat([Buffer.from(`${target}/`), Buffer.from([0xff, 0xc3, 0x28, 0x0a])]);
  expect(await readFile(restored, "utf8")).toBe("x");
  expect(await readlink(join(target, "link"), { encoding: "buffer" })).toEqual(Buffer.from([0x61, 0xfe]));
  expect((await lstat(join(target, "pipe"))).isFIFO()).toBe(true);
});

test("a path through a link is stored as the folder it leads to", async () => {
  const path = await makeFolder("linked", { file: Buffer.from("here") });
  await symlink(path, join(work.path, "way"));
  await using repository = await createTestRepository();
  const { snapshot } = await backupFiles({ repository, paths: [join(work.path, "way", "file")] });
  const target = await restore(repository, snapshot, work.path, "way-restored");
  expect(await readFile(join(target, "way", "file"), "utf8")).toBe("here");
});

test("what cannot be read is named and left out; a path that is not there is refused", async () => {
  const path = await makeFolder("gone", { a: Buffer.from("a"), b: noise(200_000, 6) });
  await using repository = await createTestRepository();
  const result = await backupFiles({
    repository,
    paths: [path],
    // Removed by somebody while the backup runs.
    onProgress: () => void rm(join(path, "b"), { force: true }),
  });
  expect(result.files + result.unreadable.length).toBeGreaterThanOrEqual(2);
  await expect(backupFiles({ repository, paths: [join(path, "never")] })).rejects.toMatchObject({
    code: "capture.source-missing",
  });
});

test("a repository that fails is not taken for unreadable files", async () => {
  const path = await makeFolder("failing", { a: noise(20_000_000, 7), b: noise(20_000_000, 8) });
  const faulty = createFaultyBackend(createMemoryBackend());
  await using repository = await createTestRepository(faulty);
  faulty.plan({ method: "write", fault: { kind: "full" }, matches: ({ kind }) => kind === "data" });
  await expect(backupFiles({ repository, paths: [path] })).rejects.toMatchObject({
    code: "vault.backend-full",
  });
  const again = await backupFiles({ repository, paths: [path] });
  await using fresh = await reopen(faulty);
  await loadIndex(fresh);
  const target = await restore(fresh, again.snapshot, path, "failing-restored");
  expect((await readFile(join(target, "b"))).equals(noise(20_000_000, 8))).toBe(true);
});

describe("a tree that somebody forged", () => {
  const time = "2026-01-01T00:00:00Z";
  const plain = { mode: 0o644, mtime: time, atime: time, ctime: time, uid: 0, gid: 0 };
  const named = (name: string, type: TreeNode["type"], more: Partial<TreeNode> = {}): TreeNode => ({
    ...plain,
    name: Buffer.from(name),
    type,
    ...more,
  });

  async function forge(
    repository: Repository,
    nodesOf: (store: (nodes: TreeNode[]) => Promise<TreeNode["subtree"]>) => Promise<TreeNode[]>,
  ): Promise<Snapshot> {
    const writer = openWriter(repository, { bufferBytes: 1024 });
    const tree = await writer.storeTree(await nodesOf((nodes) => writer.storeTree(nodes)));
    await writer.finish();
    return saveSnapshot(repository, { time, tree, paths: ["/"], hostname: "h", username: "u", tags: [] });
  }

  test("writes nothing where a link in it leads, and changes nothing there", async () => {
    const outside = await makeFolder("outside", { secret: Buffer.from("mine") });
    await chmod(join(outside, "secret"), 0o600);
    await using repository = await createTestRepository();
    const point = await forge(repository, async (store) => [
      named("way-out", "symlink", {
        linkTarget: Buffer.from(outside),
        subtree: await store([
          named("secret", "fifo", { mode: 0o777, uid: 12 }),
          named("planted", "symlink", { linkTarget: Buffer.from("x") }),
        ]),
      }),
    ]);
    const target = join(work.path, "forged-restored");
    await executeTreeRestore(repository, await planTreeRestore(repository, point.tree, target));
    const { mode, uid } = await stat(join(outside, "secret"));
    expect([mode & 0o777, uid]).toEqual([0o600, process.getuid?.()]);
    await expect(lstat(join(outside, "planted"))).rejects.toMatchObject({ code: "ENOENT" });
  });

  test("is refused if it names an entry twice", async () => {
    await using repository = await createTestRepository();
    const point = await forge(repository, async () => [
      named("same", "dir"),
      named("same", "symlink", { linkTarget: Buffer.from("/") }),
    ]);
    await expect(planTreeRestore(repository, point.tree, join(work.path, "twice"))).rejects.toMatchObject({
      code: "vault.damaged-tree",
    });
  });

  test.each(["..", ".", "a/b", ""])("is refused if it has an entry called %j", async (name) => {
    await using repository = await createTestRepository();
    const point = await forge(repository, async () => [named(name, "dir")]);
    await expect(readTree(repository, point.tree)).rejects.toMatchObject({ code: "vault.damaged-tree" });
  });
});

test("extended attributes of a tree are restored, under any name", async ({ skip }) => {
  const probe = await makeFolder("attributes", {});
  const usable = await run("setfattr", ["-n", "user.probe", "-v", "1", probe]).then(
    () => undefined,
    (cause: unknown) => String(cause),
  );
  skip(usable !== undefined, `attributes cannot be set here: ${usable}`);
  await using repository = await createTestRepository();
  const writer = openWriter(repository, { bufferBytes: 1024 });
  const time = "2026-01-01T00:00:00Z";
  const value = Buffer.from([0, 1, 0x0a, 0xff, 0x22]);
  const name = Buffer.from([0x6e, 0xff, 0x20, 0x5c]);
  const tree = await writer.storeTree([
    {
      name,
      type: "file",
      mode: 0o400,
      mtime: time,
      atime: time,
      ctime: time,
      uid: 0,
      gid: 0,
      content: [],
      extendedAttributes: [{ name: "user.our key=1", value }],
    },
  ]);
  await writer.finish();
  const target = join(work.path, "attributes-restored");
  const { notSet } = await executeTreeRestore(repository, await planTreeRestore(repository, tree, target));
  expect(notSet).toEqual([]);
  const { stdout } = await run("getfattr", ["--absolute-names", "-R", "-d", "-e", "hex", target]);
  expect(stdout).toContain(`0x${value.toString("hex")}`);
});
