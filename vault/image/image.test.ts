/** Disk images against a plain buffer: what is written, in whatever portions, on whatever parent, is what is read. */

import * as fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { isZero } from "../chunker/zero.ts";
import { checkRepository } from "../check/check-repository.ts";
import { openContent } from "../content/content-map.ts";
import { openReader } from "../content/content-reader.ts";
import type { Snapshot } from "../format/snapshot.ts";
import { openWriter, type BlobWriter } from "../repository/blob-writer.ts";
import type { Repository } from "../repository/repository.ts";
import { saveSnapshot } from "../repository/snapshots.ts";
import { createTestRepository, noise, testSeed } from "../test-repository.ts";
import { openImage } from "./disk-image.ts";
import { createImageWriter, storeImageRoot } from "./image-writer.ts";
import {
  chunkCountOf,
  chunkLength,
  CHUNKS_PER_SEGMENT,
  layoutAfter,
  layoutFor,
  layoutWith,
} from "./layout.ts";

const CHUNK = 512;
const SEGMENT = CHUNK * CHUNKS_PER_SEGMENT;
const TIME = "2026-01-01T00:00:00Z";

let repository: Repository;
beforeAll(async () => {
  repository = await createTestRepository();
});
afterAll(() => repository[Symbol.asyncDispose]());

/** Writes the named chunks of `disk` over `parent`. */
async function write(disk: Buffer, chunks: Iterable<number>, parent?: Snapshot): Promise<Snapshot> {
  const layout = layoutWith(disk.length, CHUNK);
  const writer = openWriter(repository, { bufferBytes: 4 * CHUNK });
  const before = parent === undefined ? undefined : await openImage(repository, parent);
  // An image of one chunk does not tell its chunk size; like a capture, this then writes all.
  const base = before?.layout.chunkBytes === CHUNK ? before : undefined;
  const image = createImageWriter(writer, layout, base);
  for (const chunk of base === undefined && parent !== undefined ? all(disk.length) : chunks) {
    const bytes = disk.subarray(chunk * CHUNK, chunk * CHUNK + chunkLength(layout, chunk));
    if (isZero(bytes)) image.putZeros(chunk, 1);
    else {
      const buffer = await writer.reserve();
      bytes.copy(buffer.bytes);
      await image.put(buffer, chunk, 1);
    }
  }
  return save(writer, await image.finish());
}

async function save(
  writer: BlobWriter,
  tree: Awaited<ReturnType<BlobWriter["storeTree"]>>,
): Promise<Snapshot> {
  const root = await storeImageRoot(writer, [{ name: "sda", tree }], TIME);
  await writer.finish();
  const paths = ["/disks/sda"];
  return saveSnapshot(repository, { time: TIME, tree: root, paths, hostname: "h", username: "u", tags: [] });
}

async function read(point: Snapshot, offset = 0, length?: number): Promise<Buffer> {
  const map = await openContent(repository, point);
  return openReader(repository, map, { readAheadBytes: 0 }).read(offset, length ?? map.sizeBytes - offset);
}

function all(sizeBytes: number): readonly number[] {
  return Array.from({ length: Math.ceil(sizeBytes / CHUNK) }, (_, chunk) => chunk);
}

test.each([
  ["empty", 0],
  ["of one byte", 1],
  ["shorter than a chunk", CHUNK - 1],
  ["of one chunk", CHUNK],
  ["a byte longer than a chunk", CHUNK + 1],
  ["of one segment", SEGMENT],
  ["a byte longer than a segment", SEGMENT + 1],
  ["of segments and a part of a chunk", 2 * SEGMENT + 3 * CHUNK + 7],
])("a disk %s comes back, of data, of zeros, and unwritten", async (_, sizeBytes) => {
  const data = noise(sizeBytes, sizeBytes + 1);
  const zeros = Buffer.alloc(sizeBytes);
  expect((await read(await write(data, all(sizeBytes)))).equals(data)).toBe(true);
  expect((await read(await write(zeros, all(sizeBytes)))).equals(zeros)).toBe(true);
  expect((await read(await write(zeros, []))).equals(zeros)).toBe(true);
});

type Step = {
  readonly sizeBytes: number;
  readonly writes: readonly { at: number; length: number; zero: boolean }[];
};

const sizes = fc.oneof(fc.nat(4 * CHUNK), fc.nat(2 * SEGMENT + 5 * CHUNK));
const writes = fc.array(
  fc.record({ at: fc.nat(), length: fc.integer({ min: 1, max: 9 * CHUNK }), zero: fc.boolean() }),
  {
    maxLength: 12,
  },
);
const steps: fc.Arbitrary<Step[]> = fc.array(fc.record({ sizeBytes: sizes, writes }), {
  minLength: 1,
  maxLength: 4,
});

test("any history of writes, growth and shrinking is read back at any place", async () => {
  const seed = testSeed();
  await fc.assert(
    fc.asyncProperty(steps, fc.boolean(), async (history, keepsSize) => {
      let disk = Buffer.alloc(0);
      let point: Snapshot | undefined;
      const points: { point: Snapshot; disk: Buffer }[] = [];
      for (const [number, step] of history.entries()) {
        const sizeBytes = keepsSize && number > 0 ? disk.length : step.sizeBytes;
        const changed = resize(disk, sizeBytes);
        disk = Buffer.concat([
          disk.subarray(0, sizeBytes),
          Buffer.alloc(Math.max(0, sizeBytes - disk.length)),
        ]);
        for (const { at, length, zero } of step.writes) {
          if (sizeBytes === 0) continue;
          const from = at % sizeBytes;
          const to = Math.min(sizeBytes, from + length);
          if (zero) disk.fill(0, from, to);
          else noise(to - from, at + number + 1).copy(disk, from);
          for (let chunk = Math.floor(from / CHUNK); chunk * CHUNK < to; chunk += 1) changed.add(chunk);
        }
        point = await write(disk, point === undefined ? all(sizeBytes) : changed, point);
        points.push({ point, disk: Buffer.from(disk) });
      }
      for (const made of points) {
        expect((await read(made.point)).equals(made.disk)).toBe(true);
        const from = Math.floor(made.disk.length / 3);
        const length = Math.floor((made.disk.length - from) / 2);
        expect((await read(made.point, from, length)).equals(made.disk.subarray(from, from + length))).toBe(
          true,
        );
      }
    }),
    { seed, numRuns: 15, endOnFailure: true },
  );
  expect((await checkRepository(repository, { readData: true })).findings).toEqual([]);
});

/** The chunks whose length or presence changes with the size. */
function resize(before: Buffer, sizeBytes: number): Set<number> {
  const changed = new Set<number>();
  if (before.length === sizeBytes) return changed;
  const [old, next] = [layoutWith(before.length, CHUNK), layoutWith(sizeBytes, CHUNK)];
  for (let chunk = 0; chunk < chunkCountOf(next); chunk += 1) {
    if (chunk >= chunkCountOf(old) || chunkLength(old, chunk) !== chunkLength(next, chunk))
      changed.add(chunk);
  }
  return changed;
}

test("equal segments are one tree, and zeros one blob", async () => {
  const before = repository.table.size;
  const disk = Buffer.concat([noise(SEGMENT, 77), noise(SEGMENT, 77), Buffer.alloc(SEGMENT)]);
  const point = await write(disk, all(disk.length));
  const image = await openImage(repository, point);
  expect(await image.segmentTree(0)).toBe(await image.segmentTree(1));
  expect(await image.segmentTree(2)).not.toBe(await image.segmentTree(1));
  // 1,024 chunks of data, two segment trees, the image, the folder of disks, the root; the zero chunk was there.
  expect(repository.table.size - before).toBeLessThanOrEqual(1024 + 6);
});

test("a tree that only looks like an image is refused, not read askew", async () => {
  const writer = openWriter(repository, { bufferBytes: 4 * CHUNK });
  const buffer = await writer.reserve();
  noise(3 * CHUNK, 5).copy(buffer.bytes);
  // Chunks of unequal length, as restic would cut a file of that name.
  const content = await buffer.store([
    { start: 0, length: CHUNK },
    { start: CHUNK, length: 100 },
    { start: CHUNK + 100, length: CHUNK },
  ]);
  const plain = { mode: 0o600, mtime: TIME, atime: TIME, ctime: TIME, uid: 0, gid: 0 };
  const file = { ...plain, name: Buffer.from("data"), type: "file" as const, size: 2 * CHUNK + 100, content };
  const folder = {
    ...plain,
    name: Buffer.from("00000000"),
    type: "dir" as const,
    subtree: await writer.storeTree([file]),
  };
  const point = await save(writer, await writer.storeTree([folder]));
  await expect(read(point)).rejects.toMatchObject({ code: "vault.damaged-tree" });
  // As a plain file it can be read all the same.
  const map = await openContent(repository, point, "/disks/sda/00000000/data");
  expect(await openReader(repository, map).read(0, map.sizeBytes)).toHaveLength(2 * CHUNK + 100);
});

test("chunks grow with a new disk, and stay as they are in the next image of it", () => {
  const GIB = 1024 ** 3;
  const chunkKib = (sizeBytes: number) => layoutFor(sizeBytes).chunkBytes / 1024;
  expect(
    [1, 70 * GIB, 128 * GIB, 128 * GIB + 1, 256 * GIB + 1, 700 * GIB, 2048 * GIB, 9000 * GIB].map(chunkKib),
  ).toEqual([256, 256, 256, 512, 1024, 2048, 4096, 4096]);
  const small = layoutFor(100 * GIB);
  expect(layoutAfter(500 * GIB, small).chunkBytes).toBe(small.chunkBytes);
  expect(layoutAfter(GIB, layoutWith(GIB, 300_000)).chunkBytes).toBe(256 * 1024);
});
