/** Backups of disks: what a restore point holds is the disk, whatever the parent was. */

import { open, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Extent } from "@mainstay/nbd";
import {
  checkRepository,
  createMemoryBackend,
  findSnapshot,
  loadIndex,
  openContent,
  openImage,
  openReader,
  openWriter,
  saveSnapshot,
  storeImageRoot,
  type ObjectId,
  type Repository,
  type Snapshot,
} from "@mainstay/vault";
import {
  createTestFolder,
  createTestRepository,
  noise,
  reopen,
  type TestFolder,
} from "@mainstay/vault/testing";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { backupImage } from "./backup-image.ts";
import type { ImageSource } from "./image-source.ts";
import { BUFFER_BYTES, writeDisk } from "./write-disk.ts";

const CHUNK = 256 * 1024;

let work: TestFolder;
let backend: ReturnType<typeof createMemoryBackend>;
let repository: Repository;
beforeAll(async () => {
  work = await createTestFolder();
});
afterAll(() => work[Symbol.asyncDispose]());
beforeEach(async () => {
  backend = createMemoryBackend();
  repository = await createTestRepository(backend);
});
afterEach(() => repository[Symbol.asyncDispose]());

async function contentOf(point: Snapshot): Promise<Buffer> {
  await using fresh = await reopen(backend);
  await loadIndex(fresh);
  const map = await openContent(fresh, point);
  return openReader(fresh, map).read(0, map.sizeBytes);
}

async function backUpFile(path: string, parent?: Snapshot) {
  return backupImage({ repository, disks: [{ kind: "raw", name: "sda", path }], parent });
}

describe("a raw file", () => {
  test.each([0, 1, 511, CHUNK - 1, CHUNK, CHUNK + 1, 5 * CHUNK + 1000])(
    "of %i bytes comes back",
    async (sizeBytes) => {
      const path = join(work.path, `${sizeBytes}.raw`);
      const disk = noise(sizeBytes, sizeBytes + 3);
      await writeFile(path, disk);
      const first = await backUpFile(path);
      expect((await contentOf(first.snapshot)).equals(disk)).toBe(true);
      const second = await backUpFile(path);
      expect(second).toMatchObject({ parent: first.snapshot.id, newBlobs: second.newBlobs });
      expect(second.newBytes).toBeLessThan(2000);
      expect((await contentOf(second.snapshot)).equals(disk)).toBe(true);
    },
  );

  test("that grew, shrank, and grew again comes back as it is each time", async () => {
    const path = join(work.path, "resized.raw");
    await writeFile(path, noise(3 * CHUNK + 50, 1));
    for (const sizeBytes of [3 * CHUNK + 50, 8 * CHUNK + 9, 2 * CHUNK + 7, 100, 4 * CHUNK]) {
      await truncate(path, sizeBytes);
      const file = await open(path, "r+");
      await file.write(noise(50, sizeBytes), 0, 50, Math.max(0, sizeBytes - 50));
      const wanted = Buffer.alloc(sizeBytes);
      await file.read(wanted, 0, sizeBytes, 0);
      await file.close();
      expect((await contentOf((await backUpFile(path)).snapshot)).equals(wanted)).toBe(true);
    }
    expect((await checkRepository(repository, { readData: true })).errors).toBe(0);
  });

  test("with holes costs no more than its data, and is not read where it is a hole", async () => {
    const path = join(work.path, "sparse.raw");
    await writeFile(path, noise(1000, 2));
    await truncate(path, 3 * 1024 ** 3 + 1);
    const result = await backUpFile(path);
    expect(result.readBytes).toBe(CHUNK);
    expect(result.storedBytes).toBeLessThan(1_000_000);
    await using fresh = await reopen(backend);
    await loadIndex(fresh);
    const reader = openReader(fresh, await openContent(fresh, result.snapshot));
    expect(reader.sizeBytes).toBe(3 * 1024 ** 3 + 1);
    expect((await reader.read(0, 1000)).equals(noise(1000, 2))).toBe(true);
    expect((await reader.read(reader.sizeBytes - 10, 10)).equals(Buffer.alloc(10))).toBe(true);
  });

  test("that is not there, or is a folder, is told as such", async () => {
    await expect(backUpFile(join(work.path, "nothing"))).rejects.toMatchObject({
      code: "capture.source-missing",
    });
    await expect(backUpFile(work.path)).rejects.toMatchObject({ code: "capture.source-unusable" });
  });

  test.each(["", ".", "..", "a/b", "nul\0"])("cannot be called %j", async (name) => {
    const backup = backupImage({ repository, disks: [{ kind: "raw", name, path: "/dev/null" }] });
    await expect(backup).rejects.toMatchObject({ code: "capture.disk-name-invalid" });
  });

  test.each([true, false])(
    "is whole again after a pack was lost (open repository: %s)",
    async (keepsOpen) => {
      const path = join(work.path, `lost-pack-${keepsOpen}.raw`);
      const disk = noise(6 * CHUNK, 14);
      await writeFile(path, disk);
      await backUpFile(path);
      const packs = await Array.fromAsync(backend.list("data"));
      for (const { name } of packs) await backend.remove({ kind: "data", name });
      await using fresh = await reopen(backend);
      const second = await backupImage({
        repository: keepsOpen ? repository : fresh,
        disks: [{ kind: "raw", name: "sda", path }],
      });
      expect((await contentOf(second.snapshot)).equals(disk)).toBe(true);
    },
  );

  test("is backed up whole when its parent is damaged", async () => {
    const path = join(work.path, "damaged-parent.raw");
    const disk = noise(6 * CHUNK, 4);
    await writeFile(path, disk);
    const first = await backUpFile(path);
    const image = await openImage(repository, first.snapshot);
    const tree = repository.table.get((await image.segmentTree(0)) as ObjectId, "tree");
    await backend.remove({ kind: "data", name: tree?.pack ?? "" });
    await backend.remove({
      kind: "index",
      name: (await Array.fromAsync(backend.list("index")))[0]?.name ?? "",
    });
    await using fresh = await reopen(backend);
    const second = await backupImage({ repository: fresh, disks: [{ kind: "raw", name: "sda", path }] });
    expect((await contentOf(second.snapshot)).equals(disk)).toBe(true);
  });
});

describe("changed blocks alone", () => {
  const disk = noise(40 * CHUNK + 77, 6);
  const changed = Buffer.from(disk);
  const extents: Extent[] = [3, 4, 9, 40].map((chunk) => {
    const offset = chunk * CHUNK + 10;
    const length = Math.min(60, disk.length - offset);
    noise(length, chunk).copy(changed, offset);
    return { offset, length, kind: "data" };
  });

  /** A machine's disk that tells what changed; how often it was read whole is counted. */
  function sourceOf(bytes: Buffer, coverage: ImageSource["coverage"], known: readonly Extent[]) {
    const asked = { whole: 0 };
    const source: ImageSource = {
      sizeBytes: bytes.length,
      coverage,
      extents: known,
      wholeExtents: async () => {
        asked.whole += 1;
        return [{ offset: 0, length: bytes.length, kind: "data" }];
      },
      readInto: async (target, offset) => void bytes.copy(target, 0, offset, offset + target.length),
      [Symbol.asyncDispose]: async () => undefined,
    };
    return { source, asked };
  }

  async function store(
    source: ImageSource,
    parent?: Snapshot,
  ): Promise<{ point: Snapshot; readBytes: number }> {
    await loadIndex(repository);
    const image = parent === undefined ? undefined : await openImage(repository, parent);
    const writer = openWriter(repository, { bufferBytes: BUFFER_BYTES });
    const { tree, readBytes } = await writeDisk(
      { repository, writer, onBytes: () => undefined },
      { name: "sda", source },
      image,
    );
    const time = new Date().toISOString();
    const root = await storeImageRoot(writer, [{ name: "sda", tree }], time);
    await writer.finish();
    const point = await saveSnapshot(repository, {
      time,
      tree: root,
      paths: [],
      hostname: "h",
      username: "u",
      tags: [],
    });
    return { point, readBytes };
  }

  const whole = (bytes: Buffer) =>
    sourceOf(bytes, "whole", [{ offset: 0, length: bytes.length, kind: "data" }]).source;

  test("are read and no others, and the rest is the parent's", async () => {
    const { point: parent } = await store(whole(disk));
    const { source, asked } = sourceOf(changed, "changes", extents);
    const { point, readBytes } = await store(source, parent);
    expect(asked.whole).toBe(0);
    expect(readBytes).toBe(3 * CHUNK + 77);
    expect((await contentOf(point)).equals(changed)).toBe(true);
  });

  test.each([
    ["there is no parent", undefined],
    ["the parent has another size", noise(39 * CHUNK, 6)],
    ["the parent is one chunk", noise(1000, 6)],
  ])("are not believed where %s: the disk is read whole", async (_, before) => {
    const parent = before === undefined ? undefined : (await store(whole(before))).point;
    const { source, asked } = sourceOf(changed, "changes", extents);
    const { point } = await store(source, parent);
    expect(asked.whole).toBe(1);
    expect((await contentOf(point)).equals(changed)).toBe(true);
  });
});

test("an interrupt leaves no restore point", async () => {
  const path = join(work.path, "interrupted.raw");
  await writeFile(path, noise(10 * CHUNK, 5));
  const interrupt = new AbortController();
  const backup = backupImage({
    repository,
    disks: [{ kind: "raw", name: "sda", path }],
    onProgress: ({ phase }) => phase === "reading" && interrupt.abort(),
    signal: interrupt.signal,
  });
  await expect(backup).rejects.toMatchObject({ name: "AbortError" });
  await expect(findSnapshot(repository, "latest")).rejects.toMatchObject({ code: "vault.no-such-point" });
  expect(await Array.fromAsync(backend.list("locks"))).toEqual([]);
});
