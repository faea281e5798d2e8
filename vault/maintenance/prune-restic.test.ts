/** restic as the judge: what we pruned it finds sound, what it pruned we find sound, and both restore the same. */

import { execFileSync } from "node:child_process";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createFaultyBackend } from "../backend/faulty.ts";
import { createMemoryBackend } from "../backend/memory.ts";
import { checkRepository } from "../check/check-repository.ts";
import { createTestFolder, createTestRepository, diskOf, reopen, TEST_PASSWORD } from "../test-repository.ts";
import { planPrune } from "./prune-plan.ts";
import { backUp, copyFiles, FIRST, forget, packNames, readDisks, SECOND, THIRD } from "./prune-scene.ts";
import { executePrune } from "./prune.ts";

function restic(folder: string, ...words: string[]): Buffer {
  const environment = { ...process.env, RESTIC_PASSWORD: TEST_PASSWORD };
  const quiet = ["--no-cache", "-q", "-r", folder, ...words];
  return execFileSync("restic", quiet, { env: environment, maxBuffer: 64 * 1024 * 1024, stdio: "pipe" });
}

async function makeScene(folder: string) {
  const backend = diskOf(folder);
  const repository = await createTestRepository(backend);
  const first = await backUp(repository, FIRST, "2026-01-01T00:00:00Z");
  await backUp(repository, SECOND, "2026-01-02T00:00:00Z");
  const third = await backUp(repository, THIRD, "2026-01-03T00:00:00Z");
  await forget(repository, first);
  await forget(repository, third);
  return repository;
}

test("after each of our runs restic checks every byte and restores what we do; then its own prune leaves us content", async () => {
  await using folder = await createTestFolder();
  const path = join(folder.path, "repository");
  await using repository = await makeScene(path);
  for (let run = 1; run <= 2; run += 1) {
    await executePrune(repository, await planPrune(repository));
    restic(path, "check", "--read-data");
    expect(restic(path, "dump", "latest", "/disks/sda/00000000/data").equals(SECOND)).toBe(true);
  }
  expect((await planPrune(repository)).sweep).toEqual([]);
  await backUp(repository, THIRD, "2026-01-04T00:00:00Z");
  restic(path, "forget", "--keep-last", "1", "--group-by", "host", "--prune");
  await using fresh = await reopen(diskOf(path));
  expect((await checkRepository(fresh, { readData: true })).errors).toBe(0);
  expect(await readDisks(fresh)).toEqual([THIRD]);
});

test("restic prunes a repository that holds our trash, and its trash goes", async () => {
  await using folder = await createTestFolder();
  const path = join(folder.path, "repository");
  await using repository = await makeScene(path);
  const { trashedPacks } = await executePrune(repository, await planPrune(repository));
  expect(trashedPacks).toBe(4);
  const before = await packNames(repository.backend);
  restic(path, "prune");
  expect((await packNames(repository.backend)).length).toBe(before.length - trashedPacks);
  await using fresh = await reopen(diskOf(path));
  expect(await readDisks(fresh)).toEqual([SECOND]);
  expect(await executePrune(fresh, await planPrune(fresh))).toMatchObject({ trashedPacks: 0 });
});

test("ours after restic's: what restic backed up is pruned by us and restored by restic", async () => {
  await using folder = await createTestFolder();
  const path = join(folder.path, "repository");
  const file = join(folder.path, "file");
  restic(path, "init");
  for (const content of [FIRST, SECOND, THIRD]) {
    await writeFile(file, content);
    restic(path, "backup", file);
  }
  restic(path, "forget", "--keep-last", "1", "--group-by", "host");
  await using repository = await reopen(diskOf(path));
  const { freedBytes } = await pruneTwice(repository);
  expect(freedBytes).toBeGreaterThan(FIRST.length);
  restic(path, "check", "--read-data");
  expect(restic(path, "dump", "latest", file).equals(THIRD)).toBe(true);
});

test("a crash at any write or removal leaves what restic calls sound", async () => {
  await using folder = await createTestFolder();
  await using source = await makeScene(join(folder.path, "source"));
  for (let number = 1; ; number += 1) {
    const memory = createMemoryBackend();
    await copyFiles(source.backend, memory);
    const faulty = createFaultyBackend(memory);
    await using open = await reopen(faulty);
    let calls = 0;
    const matches = (file: { kind: string }): boolean => file.kind !== "locks" && ++calls === number;
    for (const method of ["write", "remove"] as const)
      faulty.plan({ method, fault: { kind: "unreachable" }, matches });
    const isDone = await pruneTwice(open).then(
      () => true,
      () => false,
    );
    const path = join(folder.path, `crashed-${number}`);
    await copyFiles(memory, diskOf(path));
    await rm(join(path, "locks"), { recursive: true });
    restic(path, "check", "--read-data");
    expect(restic(path, "dump", "latest", "/disks/sda/00000000/data").equals(SECOND)).toBe(true);
    if (isDone) break;
  }
}, 120_000);

async function pruneTwice(repository: Parameters<typeof planPrune>[0]) {
  await executePrune(repository, await planPrune(repository));
  return executePrune(repository, await planPrune(repository));
}
