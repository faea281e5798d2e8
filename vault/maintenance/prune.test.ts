/** Pruning removes what nobody needs, never what a listed restore point needs, whatever happens in between. */

import { eachAtOnce } from "@mainstay/kit";
import { expect, test } from "vitest";
import type { Backend } from "../backend/backend.ts";
import { createFaultyBackend, type Fault } from "../backend/faulty.ts";
import { createMemoryBackend } from "../backend/memory.ts";
import { checkRepository } from "../check/check-repository.ts";
import { openContent } from "../content/content-map.ts";
import { openReader } from "../content/content-reader.ts";
import { loadIndex } from "../index/load-index.ts";
import { reconcilePacks } from "../repository/adopt-packs.ts";
import { lockRepository } from "../repository/lock.ts";
import type { Repository } from "../repository/repository.ts";
import { createTestRepository, reopen } from "../test-repository.ts";
import { planPrune } from "./prune-plan.ts";
import {
  backUp,
  beginBackup,
  copyFiles,
  FIRST,
  forget,
  packNames,
  readDisks,
  SECOND,
  THIRD,
} from "./prune-scene.ts";
import { executePrune } from "./prune.ts";

/** More writes and removals than two runs on the scene make. */
const FAULTY_CALLS = 16;

async function prune(repository: Repository) {
  return executePrune(repository, await planPrune(repository));
}

/** What a fresh process finds: no error, and exactly these disks. */
async function expectDisks(
  backend: Backend,
  disks: readonly Buffer[],
  { readData } = { readData: true },
): Promise<void> {
  await using fresh = await reopen(backend);
  expect((await checkRepository(fresh, { readData })).errors).toBe(0);
  const found = await readDisks(fresh);
  expect(found.length).toBe(disks.length);
  for (const [index, disk] of disks.entries()) expect(found[index]?.equals(disk)).toBe(true);
}

async function makeScene() {
  const backend = createMemoryBackend();
  const repository = await createTestRepository(backend);
  const first = await backUp(repository, FIRST, "2026-01-01T00:00:00Z");
  const second = await backUp(repository, SECOND, "2026-01-02T00:00:00Z");
  const third = await backUp(repository, THIRD, "2026-01-03T00:00:00Z");
  return { backend, repository, first, second, third };
}

test("where every restore point is kept nothing is planned and nothing is written", async () => {
  const { backend, repository } = await makeScene();
  await using _ = repository;
  const before = await packNames(backend);
  const plan = await planPrune(repository);
  expect(plan).toMatchObject({ unused: [], repack: [], stray: [], sweep: [], unusedBytesLeft: 0 });
  expect(await executePrune(repository, plan)).toMatchObject({ freedBytes: 0, trashedBytes: 0 });
  expect(await packNames(backend)).toEqual(before);
});

test("the first run marks and packs anew, the second removes; restore points stay equal throughout", async () => {
  const { backend, repository, first, third } = await makeScene();
  await using _ = repository;
  await forget(repository, first);
  await forget(repository, third);
  const plan = await planPrune(repository);
  expect(plan.repack.length).toBe(1);
  // Data and trees of the third, trees of the first.
  expect(plan.unused.length).toBe(3);
  expect(plan.freedBytes).toBe(0);
  const before = await packNames(backend);
  const marked = await executePrune(repository, plan);
  expect(marked).toMatchObject({ freedBytes: 0, trashedPacks: 4, trashedBytes: plan.trashedBytes });
  expect(await packNames(backend)).toEqual(expect.arrayContaining([...before]));
  await expectDisks(backend, [SECOND]);
  const swept = await prune(repository);
  expect(swept).toMatchObject({ freedBytes: plan.trashedBytes, sweptPacks: 4, trashedPacks: 0 });
  await expectDisks(backend, [SECOND]);
  expect((await planPrune(repository)).sweep).toEqual([]);
});

test("a little that is not needed stays where it is: packing anew costs more than it frees", async () => {
  await using repository = await createTestRepository();
  const most = Buffer.concat([FIRST, THIRD, SECOND.subarray(SECOND.length - 256 * 1024)]);
  const first = await backUp(repository, most, "2026-01-01T00:00:00Z");
  await backUp(repository, most.subarray(0, most.length - 256 * 1024), "2026-01-02T00:00:00Z");
  await forget(repository, first);
  const plan = await planPrune(repository);
  expect(plan.repack.some(({ usedBytes }) => usedBytes > 1024 * 1024)).toBe(false);
  expect(plan.unusedBytesLeft).toBeGreaterThan(0);
});

test("PSA-2025-00019-1: a restore point made from one that is forgotten while a prune runs keeps all it shares with it", async () => {
  const { backend, repository, first, second, third } = await makeScene();
  await using _ = repository;
  await using other = await reopen(backend);
  await forget(repository, second);
  await forget(repository, third);
  // The prune lists restore points; then one is made that stores nothing new; then its only companion is forgotten.
  const planned = await planPrune(repository);
  const copy = await backUp(other, FIRST, "2026-01-04T00:00:00Z");
  await forget(other, first);
  await expect(executePrune(repository, planned)).rejects.toMatchObject({ code: "vault.plan-outdated" });
  await prune(repository);
  await prune(repository);
  await expectDisks(backend, [FIRST]);
  expect((await planPrune(repository)).snapshots).toEqual([copy.id]);
});

test("a backup that ignores locks and relies on what the prune in between has marked is made whole by the next prune", async () => {
  const { backend, repository, first } = await makeScene();
  await using _ = repository;
  await using other = await reopen(backend);
  await loadIndex(other);
  await forget(repository, first);
  // Knows every blob of the first disk, so stores none.
  const backup = await beginBackup(other, FIRST, "2026-01-04T00:00:00Z");
  await prune(repository);
  await backup.finish();
  const plan = await planPrune(repository);
  expect(plan.rescued.length).toBeGreaterThan(0);
  await executePrune(repository, plan);
  await expectDisks(backend, [SECOND, THIRD, FIRST]);
});

test("while a backup holds its lock nothing is pruned", async () => {
  const { backend, repository, first } = await makeScene();
  await using _ = repository;
  await using other = await reopen(backend);
  await forget(repository, first);
  const plan = await planPrune(repository);
  await using _lock = await lockRepository(other, "shared");
  await expect(executePrune(repository, plan)).rejects.toMatchObject({ code: "vault.locked" });
});

test("a repository that was open during the prune stores anew what was taken out of the index", async () => {
  const { backend, repository, third } = await makeScene();
  await using _ = repository;
  await using other = await reopen(backend);
  await loadIndex(other);
  await forget(repository, third);
  await prune(repository);
  await backUp(other, THIRD, "2026-01-05T00:00:00Z");
  await prune(repository);
  await expectDisks(backend, [FIRST, SECOND, THIRD]);
});

test("who reads a restore point while two runs pack it anew and sweep finds every block where it lies now", async () => {
  const { backend, repository, first, second, third } = await makeScene();
  await using _ = repository;
  await using machine = await reopen(backend);
  await loadIndex(machine);
  const reader = openReader(machine, await openContent(machine, second), { cacheBytesMax: 0 });
  expect((await reader.read(0, 4096)).equals(SECOND.subarray(0, 4096))).toBe(true);
  await forget(repository, first);
  await forget(repository, third);
  await prune(repository);
  expect((await prune(repository)).sweptPacks).toBeGreaterThan(0);
  expect((await reader.read(0, reader.sizeBytes)).equals(SECOND)).toBe(true);
});

test("trash is not taken for the packs of an interrupted backup", async () => {
  const { repository, third } = await makeScene();
  await using _ = repository;
  await forget(repository, third);
  await prune(repository);
  await loadIndex(repository);
  expect(await reconcilePacks(repository)).toEqual([]);
});

test("what is missing is never made worse: the prune refuses and removes nothing", async () => {
  const { backend, repository, first } = await makeScene();
  await using _ = repository;
  await forget(repository, first);
  const [largest] = (await Array.fromAsync(backend.list("data"))).toSorted(
    (left, right) => right.sizeBytes - left.sizeBytes,
  );
  await backend.remove({ kind: "data", name: largest?.name ?? "" });
  await expect(planPrune(repository)).rejects.toMatchObject({ code: "vault.prune-refused" });
});

test("of two copies the damaged one is never the one that stays", async () => {
  const { backend, repository, first, third } = await makeScene();
  await using _ = repository;
  // A second copy of all data, as a backup that could not see the index would store it.
  await using blind = await reopen(backend);
  await (await beginBackup(blind, SECOND, "2026-01-04T00:00:00Z")).finish();
  await forget(repository, first);
  await forget(repository, third);
  for (const name of await packNames(backend)) {
    const spoiled = createMemoryBackend();
    await copyFiles(backend, spoiled);
    const bytes = Buffer.from(await spoiled.read({ kind: "data", name }));
    bytes[100] = (bytes[100] ?? 0) ^ 1;
    await spoiled.remove({ kind: "data", name });
    await spoiled.write({ kind: "data", name }, [bytes]);
    await using open = await reopen(spoiled);
    const isReadable = async () => {
      await using fresh = await reopen(spoiled);
      return readDisks(fresh).then(
        (disks) => disks.every((disk) => disk.equals(SECOND)),
        () => false,
      );
    };
    const before = await isReadable();
    await prune(open)
      .then(() => prune(open))
      .catch(() => undefined);
    expect(await isReadable()).toBe(before);
  }
});

test.each<Fault>([{ kind: "unreachable" }, { kind: "answer-lost" }])(
  "a failure ($kind) at any write or removal leaves all restore points whole, and the next runs finish",
  async (fault) => {
    const { backend, repository, first, third } = await makeScene();
    await using _ = repository;
    await forget(repository, first);
    await forget(repository, third);
    // The first run marks, the second sweeps: faults are met in both.
    const outcomes: ("done" | "failed")[] = [];
    const numbers = Array.from({ length: FAULTY_CALLS }, (_none, index) => index + 1);
    await eachAtOnce(numbers, numbers.length, async (number) => {
      const copy = createMemoryBackend();
      await copyFiles(backend, copy);
      const faulty = createFaultyBackend(copy);
      await using open = await reopen(faulty);
      let calls = 0;
      const matches = (file: { kind: string }): boolean => file.kind !== "locks" && ++calls === number;
      faulty.plan({ method: "write", fault, matches });
      faulty.plan({ method: "remove", fault, matches });
      const outcome = await prune(open)
        .then(() => prune(open))
        .then(
          () => "done" as const,
          () => "failed" as const,
        );
      outcomes.push(outcome);
      await expectDisks(copy, [SECOND], { readData: false });
      // One run to mark what the failed one left, one to remove it; the failed one may have got that far itself.
      for (let run = 0; run < 3; run += 1) await prune(open);
      await expectDisks(copy, [SECOND]);
      expect((await packNames(copy)).length).toBe(3);
    });
    expect(outcomes.filter((outcome) => outcome === "failed").length).toBeGreaterThan(8);
    expect(outcomes).toContain("done");
  },
  60_000,
);
