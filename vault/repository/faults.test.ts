/** Backups and replication on a place that fails: whatever is listed as a restore point restores, whatever fails says so. */

import { MainstayError } from "@mainstay/kit";
import { describe, expect, test } from "vitest";
import type { FileKind } from "../backend/backend.ts";
import { createFaultyBackend, type Fault } from "../backend/faulty.ts";
import { createMemoryBackend } from "../backend/memory.ts";
import { checkRepository } from "../check/check-repository.ts";
import { openContent } from "../content/content-map.ts";
import { openReader } from "../content/content-reader.ts";
import { loadIndex } from "../index/load-index.ts";
import { createImageWriter, storeImageRoot } from "../image/image-writer.ts";
import { chunkCountOf, chunkLength, layoutWith } from "../image/layout.ts";
import { executeReplication, planReplication } from "../replicate/replicate.ts";
import { createTestReplica, createTestRepository, noise, reopen } from "../test-repository.ts";
import { findUnindexedPacks } from "./adopt-packs.ts";
import { openWriter } from "./blob-writer.ts";
import type { Repository } from "./repository.ts";
import { listSnapshots, saveSnapshot } from "./snapshots.ts";

const CHUNK = 256 * 1024;
/** A pack and a rest: with trees, index and restore point five writes. */
const DISK = noise(17 * 1024 * 1024 + 11, 1);
const HASHES = new Map<string, Buffer>();

/** Backs the disk up as a capture does. */
async function backUp(
  repository: Repository,
  disk: Buffer,
  time: string,
  signal?: AbortSignal,
): Promise<void> {
  await loadIndex(repository);
  const layout = layoutWith(disk.length, CHUNK);
  const writer = openWriter(repository, { bufferBytes: 16 * CHUNK, signal });
  try {
    for (const pack of await findUnindexedPacks(repository)) writer.adopt(pack);
    const image = createImageWriter(writer, layout);
    for (let first = 0; first < chunkCountOf(layout); first += 16) {
      const count = Math.min(16, chunkCountOf(layout) - first);
      const length = (count - 1) * CHUNK + chunkLength(layout, first + count - 1);
      const buffer = await writer.reserve();
      disk.copy(buffer.bytes, 0, first * CHUNK, first * CHUNK + length);
      await image.put(buffer, first, count);
    }
    const tree = await storeImageRoot(writer, [{ name: "sda", tree: await image.finish() }], time);
    await writer.finish();
    const saved = await saveSnapshot(repository, {
      time,
      tree,
      paths: ["/disks/sda"],
      hostname: "h",
      username: "u",
      tags: [],
    });
    HASHES.set(saved.id, disk);
  } catch (cause) {
    await writer.abandon();
    throw cause;
  }
}

/** Every restore point that is listed holds what was backed up, read by a process that knows nothing else. */
async function expectAllRestore(repository: Repository, pointsMin: number): Promise<void> {
  await loadIndex(repository);
  const points = await listSnapshots(repository);
  expect(points.length).toBeGreaterThanOrEqual(pointsMin);
  for (const point of points) {
    const map = await openContent(repository, point);
    const reader = openReader(repository, map, { cacheBytesMax: 0, readAheadBytes: 0 });
    const step = 8 * 1024 * 1024;
    for (let at = 0; at < map.sizeBytes; at += step) {
      const length = Math.min(step, map.sizeBytes - at);
      const wanted = (HASHES.get(point.id) ?? DISK).subarray(at, at + length);
      expect((await reader.read(at, length)).equals(wanted), `${point.id} at ${at}`).toBe(true);
    }
  }
}

const FAULTS: readonly Fault[] = [{ kind: "unreachable" }, { kind: "full" }, { kind: "answer-lost" }];

describe.each(FAULTS)("a write that fails ($kind)", (fault) => {
  test.each([1, 2, 3, 4, 5])(
    "being number %i of a backup leaves no restore point, and the next run on the same open repository succeeds",
    async (number) => {
      const memory = createMemoryBackend();
      await using repository = await createTestRepository(createFaultyBackend(memory));
      const faulty = repository.backend as ReturnType<typeof createFaultyBackend>;
      let writes = 0;
      faulty.plan({ method: "write", fault, matches: () => ++writes === number, times: 1 });
      const failed = await backUp(repository, DISK, "2026-01-01T00:00:00Z").then(
        () => undefined,
        (cause: unknown) => cause,
      );
      expect(failed).toBeInstanceOf(MainstayError);
      await using fresh = await reopen(memory);
      await expectAllRestore(fresh, 0);
      await backUp(repository, DISK, "2026-01-02T00:00:00Z");
      await using last = await reopen(memory);
      await expectAllRestore(last, 1);
      expect((await checkRepository(last, { readData: true })).errors).toBe(0);
    },
  );
});

test.each(["index", "snapshots", "data"] as const)(
  "a torn write of %s is never mistaken for a whole one",
  async (kind: FileKind) => {
    const memory = createMemoryBackend();
    await using repository = await createTestRepository(createFaultyBackend(memory));
    const faulty = repository.backend as ReturnType<typeof createFaultyBackend>;
    faulty.plan({
      method: "write",
      fault: { kind: "torn", keptBytes: 100 },
      matches: (file) => file.kind === kind,
    });
    await expect(backUp(repository, DISK, "2026-01-01T00:00:00Z")).rejects.toMatchObject({
      code: "vault.backend-unreachable",
    });
    await using fresh = await reopen(memory);
    const report = await checkRepository(fresh, { readData: true });
    // What is torn is named; it is an error where something could rely on it.
    expect(report.findings.length).toBeGreaterThan(0);
    expect(report.errors > 0).toBe(kind !== "data");
  },
);

test("an abandoned backup waits for what is under way and leaves it indexed", async () => {
  const memory = createMemoryBackend();
  await using repository = await createTestRepository(memory);
  const interrupt = new AbortController();
  const stopping = backUp(repository, DISK, "2026-01-01T00:00:00Z", interrupt.signal);
  setTimeout(() => interrupt.abort(), 150);
  const outcome = await stopping.catch((cause: unknown) => cause);
  if (outcome !== undefined) expect(outcome).toMatchObject({ name: "AbortError" });
  await using fresh = await reopen(memory);
  await loadIndex(fresh);
  expect(await findUnindexedPacks(fresh)).toEqual([]);
  expect((await checkRepository(fresh, { readData: true })).errors).toBe(0);
});

test("room for so many bytes more: a backup that does not fit says so, and goes on where there is room again", async () => {
  const memory = createMemoryBackend();
  await using repository = await createTestRepository(createFaultyBackend(memory));
  const faulty = repository.backend as ReturnType<typeof createFaultyBackend>;
  faulty.leaveRoom(10 * 1024 * 1024);
  await expect(backUp(repository, DISK, "2026-01-01T00:00:00Z")).rejects.toMatchObject({
    code: "vault.backend-full",
  });
  faulty.leaveRoom(Infinity);
  await backUp(repository, DISK, "2026-01-02T00:00:00Z");
  await using fresh = await reopen(memory);
  await expectAllRestore(fresh, 1);
});

describe("replication", () => {
  test("interrupted at any write it resumes, and never lists what it does not hold", async () => {
    await using source = await createTestRepository();
    await backUp(source, DISK, "2026-01-01T00:00:00Z");
    const changed = Buffer.from(DISK);
    noise(3 * CHUNK, 9).copy(changed, 5 * CHUNK);
    await backUp(source, changed, "2026-01-02T00:00:00Z");
    const points = await listSnapshots(source);
    for (let number = 1; number < 12; number += 1) {
      const memory = createMemoryBackend();
      await using replica = await createTestReplica(source, createFaultyBackend(memory));
      const faulty = replica.backend as ReturnType<typeof createFaultyBackend>;
      let writes = 0;
      faulty.plan({
        method: "write",
        fault: { kind: number % 2 ? "unreachable" : "answer-lost" },
        matches: () => ++writes === number,
      });
      const first = await planReplication(source, replica, points);
      const failed = await executeReplication(source, replica, first).then(
        () => false,
        () => true,
      );
      await using seen = await reopen(memory);
      await expectAllRestore(seen, failed ? 0 : 2);
      // On the same open replica, as a server that keeps it would.
      const second = await planReplication(source, replica, points);
      if (!failed) break;
      expect(second.packs.length).toBeLessThanOrEqual(first.packs.length);
      await executeReplication(source, replica, second);
      await using last = await reopen(memory);
      await expectAllRestore(last, 2);
      expect((await checkRepository(last, { readData: true })).errors).toBe(0);
    }
  });

  test("damage in the source does not travel", async () => {
    const memory = createMemoryBackend();
    await using source = await createTestRepository(createFaultyBackend(memory));
    await backUp(source, DISK, "2026-01-01T00:00:00Z");
    const faulty = source.backend as ReturnType<typeof createFaultyBackend>;
    const isWholePack = { method: "read", fault: { kind: "bit-flipped", bit: 12_345 } } as const;
    await using replica = await createTestReplica(source);
    const plan = await planReplication(source, replica, await listSnapshots(source));
    faulty.plan({ ...isWholePack, matches: (file) => file.kind === "data" });
    await expect(executeReplication(source, replica, plan)).rejects.toMatchObject({
      code: "vault.damaged-pack",
    });
    expect(await listSnapshots(replica)).toEqual([]);
    await executeReplication(
      source,
      replica,
      await planReplication(source, replica, await listSnapshots(source)),
    );
    expect((await checkRepository(replica, { readData: true })).errors).toBe(0);
  });

  test("a pack that the replica lost is sent again", async () => {
    await using source = await createTestRepository();
    await backUp(source, DISK, "2026-01-01T00:00:00Z");
    await using replica = await createTestReplica(source);
    await executeReplication(
      source,
      replica,
      await planReplication(source, replica, await listSnapshots(source)),
    );
    const packs = await Array.fromAsync(replica.backend.list("data"));
    const [lost] = packs.sort((left, right) => right.sizeBytes - left.sizeBytes);
    await replica.backend.remove({ kind: "data", name: lost?.name ?? "" });
    await backUp(source, Buffer.concat([DISK, Buffer.of(1)]), "2026-01-02T00:00:00Z");
    const plan = await planReplication(source, replica, await listSnapshots(source));
    expect(plan.packs.map(({ id }) => id)).toContain(lost?.name);
    await executeReplication(source, replica, plan);
    await expectAllRestore(replica, 2);
  });
});
