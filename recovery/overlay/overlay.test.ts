/** The overlay against a model, across crashes and reopening, and when its disk fails. */

import {
  appendFile,
  copyFile,
  mkdtemp,
  open,
  readFile,
  rm,
  stat,
  truncate,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { BlockDevice } from "@mainstay/nbd";
import {
  compareDevice,
  exerciseDevice,
  faultyDevice,
  memoryDevice,
  newModel,
  seededRandom,
} from "@mainstay/nbd/testing";
import { afterEach, beforeEach, expect, test } from "vitest";

import { BlockStates } from "./block-states.ts";
import { openOverlay, type Overlay } from "./overlay.ts";

const SEED = Number(process.env["SEED"] ?? Date.now() % 1_000_000);
const SIZE = 1_000_000 + 321;
const BLOCK = 4096;

let folder: string;
let path: string;
let base: BlockDevice;
let baseBytes: Buffer;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "overlay-"));
  path = join(folder, "disk");
  base = memoryDevice(SIZE);
  baseBytes = Buffer.alloc(SIZE);
  baseBytes.fill("base", 100_000, 700_000);
  await base.write(100_000, baseBytes.subarray(100_000, 700_000));
});

afterEach(() => rm(folder, { recursive: true }));

const openHere = (at = path, identity = "repository/1"): Promise<Overlay> =>
  openOverlay({ base, identity, path: at });

const codeOf = (code: string): object => expect.objectContaining({ code });

test(`random operations equal the model, also after every reopening, and the base stays as it was (seed ${SEED})`, async () => {
  const model = newModel(Buffer.from(baseBytes), SEED);
  for (let turn = 0; turn < 6; turn += 1) {
    await using overlay = await openHere();
    await compareDevice(overlay, model);
    await exerciseDevice(overlay, model, 25);
  }
  expect(Buffer.from(await base.read(0, SIZE)).equals(baseBytes)).toBe(true);
});

test(`overlapping writes of parts of one block lose nothing (seed ${SEED})`, async () => {
  const slow = faultyDevice(base);
  slow.inject({ operation: "read", delayMs: 2 });
  await using overlay = await openOverlay({ base: slow, identity: "x", path });
  const writes = Array.from({ length: 64 }, (_, index) =>
    overlay.write(120_000 + index * 100, Buffer.alloc(100, index)),
  );
  await Promise.all(writes);
  const found = await overlay.read(120_000, 6400);
  expect([...found].every((value, index) => value === Math.floor(index / 100))).toBe(true);
});

test(`after a power cut all that was flushed is there, and nothing that was never written (seed ${SEED})`, async () => {
  const random = seededRandom(SEED);
  for (let turn = 0; turn < 12; turn += 1) {
    const at = join(folder, `live${turn}`);
    const crashed = join(folder, `crashed${turn}`);
    const overlay = await openHere(at);
    const live = Buffer.from(baseBytes);
    await scribble(overlay, live, random, 30);
    await overlay.flush();
    const flushed = Buffer.from(live);
    const flushedMapBytes = (await stat(`${at}.map`)).size;
    await copyFile(at, crashed);
    const touched = await scribble(overlay, live, random, 20);
    if (random() < 0.5) void overlay.flush().catch(() => {});
    await cutPower(at, crashed, flushedMapBytes, random);
    await overlay.close();
    await using reopened = await openHere(crashed);
    expectFlushed(Buffer.from(await reopened.read(0, SIZE)), flushed, live, touched);
    await compareDevice(reopened, newModel(Buffer.from(await reopened.read(0, SIZE)), 0));
  }
});

test("a journal with any byte changed gives the state of some earlier flush or a clear error", async () => {
  const overlay = await openHere();
  const states = [Buffer.from(baseBytes)];
  for (let turn = 0; turn < 5; turn += 1) {
    await overlay.write(turn * 50_000, Buffer.alloc(BLOCK * 2, turn + 1));
    await overlay.flush();
    states.push(Buffer.from(await overlay.read(0, SIZE)));
  }
  await overlay.close();
  const map = await readFile(`${path}.map`);
  for (let at = 512; at < map.length; at += 7) {
    const bad = Buffer.from(map);
    bad[at] = (bad[at] ?? 0) ^ 0x10;
    await writeFile(`${path}.map`, bad);
    await using reopened = await openHere();
    const found = Buffer.from(await reopened.read(0, SIZE));
    expect(states.some((state) => state.equals(found))).toBe(true);
  }
});

test("an overlay of another disk, or without its map, or with a broken header, is refused", async () => {
  const overlay = await openHere();
  await overlay.write(0, Buffer.from("x"));
  await overlay.close();
  await expect(openHere(path, "repository/2")).rejects.toEqual(codeOf("overlay.foreign-disk"));
  await expect(openOverlay({ base: memoryDevice(SIZE + 1), identity: "repository/1", path })).rejects.toEqual(
    codeOf("overlay.foreign-disk"),
  );
  const map = await readFile(`${path}.map`);
  await writeFile(`${path}.map`, Buffer.concat([Buffer.from("?"), map.subarray(1)]));
  await expect(openHere()).rejects.toEqual(codeOf("overlay.damaged"));
  await rm(`${path}.map`);
  await expect(openHere()).rejects.toEqual(codeOf("overlay.damaged"));
  await writeFile(`${path}.map`, map);
  await using again = await openHere();
  expect(Buffer.from(await again.read(0, 1)).toString()).toBe("x");
});

test("a second opening is refused while the first lasts, and the lock of a dead process is taken over", async () => {
  const overlay = await openHere();
  await expect(openHere()).rejects.toEqual(codeOf("overlay.in-use"));
  await overlay.close();
  await writeFile(`${path}.lock`, "1 gone:1\n");
  await (await openHere()).close();
});

test("it tells what changed, in order, and how much", async () => {
  await using overlay = await openHere();
  await overlay.write(BLOCK * 10 + 5, Buffer.alloc(BLOCK));
  await overlay.writeZeroes(BLOCK * 30, BLOCK * 4);
  await overlay.trim(SIZE - 100, 100);
  const lastBlock = SIZE - (SIZE % BLOCK);
  expect([...overlay.changes()]).toEqual([
    { offset: BLOCK * 10, length: BLOCK * 2, kind: "data" },
    { offset: BLOCK * 30, length: BLOCK * 4, kind: "zero" },
    { offset: lastBlock, length: SIZE - lastBlock, kind: "data" },
  ]);
  expect([overlay.writtenBytes, overlay.zeroedBytes]).toEqual([BLOCK * 3, BLOCK * 4]);
});

test("a failed read of the base fails the write that needs it and changes nothing", async () => {
  const faulty = faultyDevice(base);
  await using overlay = await openOverlay({ base: faulty, identity: "x", path });
  faulty.inject({ operation: "read", code: "EIO" });
  await expect(overlay.write(200_001, Buffer.from("lost"))).rejects.toThrow(/EIO/);
  await expect(overlay.read(200_000, 8)).rejects.toThrow(/EIO/);
  faulty.heal();
  expect(Buffer.from(await overlay.read(200_000, 8)).toString()).toBe("basebase");
  expect([...overlay.changes()]).toEqual([]);
});

test("a 700 GB disk opens at once, costs little memory, and remembers writes at its end", async () => {
  const size = 700e9;
  const huge: BlockDevice = {
    ...memoryDevice(0),
    sizeBytes: size,
    read: async (_, length) => new Uint8Array(length),
  };
  const overlay = await openOverlay({ base: huge, identity: "huge", path });
  await overlay.write(size - 10, Buffer.from("at the end"));
  await overlay.writeZeroes(0, size - 1e9);
  await overlay.flush();
  await overlay.close();
  await using again = await openOverlay({ base: huge, identity: "huge", path });
  expect(Buffer.from(await again.read(size - 10, 10)).toString()).toBe("at the end");
  expect(again.zeroedBytes).toBe(Math.floor((size - 1e9) / BLOCK) * BLOCK);
  expect((await stat(path)).blocks * 512).toBeLessThan(100_000);
  expect((await stat(`${path}.map`)).size).toBeLessThan(1000);
});

test(`block states equal a plain array (seed ${SEED})`, () => {
  const random = seededRandom(SEED);
  const count = 200_003;
  const states = new BlockStates(count);
  const plain = new Uint8Array(count);
  for (let turn = 0; turn < 200; turn += 1) {
    const first = Math.floor(random() * count);
    const length = Math.floor(random() * (random() < 0.3 ? count - first : 100)) % (count - first);
    const pick = random();
    const state = pick < 0.33 ? 0 : pick < 0.66 ? 1 : 2;
    states.set(first, length, state);
    plain.fill(state, first, first + length);
  }
  const rebuilt = new Uint8Array(count);
  let at = 0;
  let previous = -1;
  for (const run of states.runs()) {
    expect(run.first).toBe(at);
    expect(run.state).not.toBe(previous);
    rebuilt.fill(run.state, run.first, run.first + run.count);
    at += run.count;
    previous = run.state;
  }
  expect(Buffer.from(rebuilt).equals(plain)).toBe(true);
  const counted = [0, 0, 0];
  for (const state of plain) counted[state] = (counted[state] ?? 0) + 1;
  expect([states.count(0), states.count(1), states.count(2)]).toEqual(counted);
});

/** Writes and zeroes at random, in `live` too; which bytes were changed. */
async function scribble(
  overlay: Overlay,
  live: Buffer,
  random: () => number,
  count: number,
): Promise<Uint8Array> {
  const touched = new Uint8Array(SIZE);
  for (let index = 0; index < count; index += 1) {
    const offset = Math.floor(random() * SIZE);
    const length = Math.min(SIZE - offset, 1 + Math.floor(random() * 20_000));
    const value = random() < 0.3 ? 0 : 1 + Math.floor(random() * 255);
    live.fill(value, offset, offset + length);
    for (let at = offset; at < offset + length; at += 1) touched[at] = Math.min(2, (touched[at] ?? 0) + 1);
    if (value === 0) await overlay.writeZeroes(offset, length);
    else await overlay.write(offset, Buffer.alloc(length, value));
  }
  return touched;
}

/** Of what was written after the flush, some blocks reached the disk and some did not; the journal's end is torn. */
async function cutPower(
  live: string,
  crashed: string,
  flushedMapBytes: number,
  random: () => number,
): Promise<void> {
  const now = await readFile(live);
  const file = await open(crashed, "r+");
  for (let at = 0; at < SIZE; at += BLOCK) {
    if (random() < 0.5) await file.write(now, at, Math.min(BLOCK, SIZE - at), at);
  }
  await file.close();
  await copyFile(`${live}.map`, `${crashed}.map`);
  await truncate(`${crashed}.map`, flushedMapBytes);
  const noise = Array.from({ length: Math.floor(random() * 50) }, () => Math.floor(random() * 256));
  await appendFile(`${crashed}.map`, Buffer.from(noise));
}

function expectFlushed(found: Buffer, flushed: Buffer, live: Buffer, touched: Uint8Array): void {
  for (const [at, value] of found.entries()) {
    const wasOnceWritten = touched[at] === 1;
    const isRight = value === flushed[at] || (wasOnceWritten && value === live[at]) || touched[at] === 2;
    if (!isRight) throw new Error(`byte ${at} is ${value}, flushed ${flushed[at]}, last ${live[at]}`);
  }
}
