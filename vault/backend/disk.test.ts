import { createHash, randomBytes } from "node:crypto";
import { chmod, mkdtemp, readdir, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { vaultErrors } from "../errors.ts";
import type { FileRef } from "./backend.ts";
import { describeBackendContract } from "./contract-suite.ts";
import { diskFailure } from "./disk-failure.ts";
import { createDiskBackend } from "./disk.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "vault-disk-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

describeBackendContract("a folder", async () => {
  const root = join(folder, "repository");
  return {
    backend: createDiskBackend(root),
    reopen: () => createDiskBackend(root),
    dispose: async () => {},
  };
});

const BYTES = randomBytes(100);
const PACK: FileRef = { kind: "data", name: createHash("sha256").update(BYTES).digest("hex") };

test("lies on disk as restic lays it out, for the owner alone", async () => {
  const backend = createDiskBackend(folder);
  await backend.create();
  await backend.write(PACK, [BYTES]);
  const path = join(folder, "data", PACK.name.slice(0, 2), PACK.name);
  expect((await stat(path)).mode & 0o777).toBe(0o400);
  expect((await stat(join(folder, "data"))).mode & 0o777).toBe(0o700);
  expect((await readdir(join(folder, "data"))).length).toBe(256);
  expect((await readdir(folder)).sort()).toEqual(["data", "index", "keys", "locks", "snapshots"]);
});

test("what others are still writing, and strangers' files, are not listed", async () => {
  const backend = createDiskBackend(folder);
  await backend.create();
  await writeFile(join(folder, "keys", `${PACK.name}-tmp-0123`), "half");
  await writeFile(join(folder, "keys", "README"), "stranger");
  expect(await Array.fromAsync(backend.list("keys"))).toEqual([]);
});

test("leftovers of a writer that was killed go after a day, not before, and nothing else goes", async () => {
  const backend = createDiskBackend(folder);
  await backend.create();
  const [old, young] = [`${PACK.name}-tmp-00aa`, `${PACK.name}-tmp-00bb`];
  const twoDaysAgo = new Date(Date.now() - 2 * 86_400_000);
  for (const name of [old, young, "notes-tmp-1"]) await writeFile(join(folder, "index", name), "half");
  for (const name of [old, "notes-tmp-1"]) await utimes(join(folder, "index", name), twoDaysAgo, twoDaysAgo);
  await backend.write(PACK, [BYTES]);
  expect((await readdir(join(folder, "index"))).sort()).toEqual([young, "notes-tmp-1"].sort());
});

test("a folder that is gone, as an unmounted disk, is not an empty repository and is not built anew", async () => {
  const backend = createDiskBackend(join(folder, "mount", "repository"));
  await expect(Array.fromAsync(backend.list("snapshots"))).rejects.toSatisfy((cause) =>
    vaultErrors.is(cause, "backend-unreachable"),
  );
  await expect(backend.write(PACK, [BYTES])).rejects.toSatisfy((cause) =>
    vaultErrors.is(cause, "backend-unreachable"),
  );
  expect(await readdir(folder)).toEqual([]);
});

test("a failed write leaves nothing behind", async () => {
  const backend = createDiskBackend(folder);
  await backend.create();
  await writeFile(join(folder, "config"), "another");
  await expect(backend.write({ kind: "config", name: "" }, [BYTES])).rejects.toThrow(/different file/);
  expect((await readdir(folder)).filter((name) => name.includes("tmp"))).toEqual([]);
});

test.skipIf(process.getuid?.() === 0)("a folder of another user refuses", async () => {
  const backend = createDiskBackend(folder);
  await backend.create();
  await chmod(join(folder, "keys"), 0o500);
  const write = backend.write({ kind: "keys", name: PACK.name }, [BYTES]);
  await expect(write).rejects.toSatisfy((cause) => vaultErrors.is(cause, "backend-refused"));
  await chmod(join(folder, "keys"), 0o700);
});

test.each([
  ["ENOSPC", "backend-full"],
  ["EDQUOT", "backend-full"],
  ["EACCES", "backend-refused"],
  ["EROFS", "backend-refused"],
  ["EIO", "backend-unreachable"],
  ["ESTALE", "backend-unreachable"],
] as const)("%s of the file system is %s, with a way out", (code, name) => {
  const cause = Object.assign(new Error(`${code}: it failed`), { code });
  const failure = diskFailure(cause, "write data/00", "/mnt/backup");
  expect(vaultErrors.is(failure, name)).toBe(true);
  expect(failure.message).toMatch(/^Cannot write data\/00 in \/mnt\/backup: .*; /);
});
