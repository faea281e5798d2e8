/** Nothing put into the outbox is lost before it is acknowledged, whatever the crash leaves of the file. */

import { appendFile, mkdtemp, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { newUuid } from "@mainstay/kit";
import * as fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { COMPACT_BYTES, openOutbox, type OutboxContent, parseOutbox } from "./outbox.ts";

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "mainstay-outbox-"));
  file = path.join(folder, "outbox");
});
afterEach(() => rm(folder, { recursive: true }));

const content = (message: string): OutboxContent => ({
  kind: "problem",
  at: "2026-01-01T00:00:00.000Z",
  body: { code: "test.problem", message },
});

test("records are numbered from 1 and read back in order", async () => {
  const outbox = await openOutbox(file);
  for (const text of ["a", "b", "c"]) await outbox.append(content(text));
  await outbox.close();
  const again = await openOutbox(file);
  expect(again.after(0, 10).map((record) => record.sequence)).toEqual([1, 2, 3]);
  expect(again.after(1, 1).map((record) => record.sequence)).toEqual([2]);
  expect(await again.append(content("d"))).toBe(4);
  await again.close();
});

test("appends made together keep their order and their numbers", async () => {
  const outbox = await openOutbox(file);
  const numbers = await Promise.all(
    Array.from({ length: 50 }, (_value, index) => outbox.append(content(`${index}`))),
  );
  expect(numbers).toEqual(Array.from({ length: 50 }, (_value, index) => index + 1));
  await outbox.close();
});

test("a number is never given twice, even when everything was acknowledged and compacted", async () => {
  const outbox = await openOutbox(file);
  const long = "x".repeat(1000);
  const count = Math.ceil(COMPACT_BYTES / 1000) + 5;
  for (let index = 0; index < count; index += 1) await outbox.append(content(long));
  await outbox.acknowledge(count);
  expect((await stat(file)).size).toBeLessThan(100);
  await outbox.close();
  const again = await openOutbox(file);
  expect(again.after(0, 10)).toEqual([]);
  expect(await again.append(content("next"))).toBe(count + 1);
  await again.close();
});

test("a torn last line is dropped and the next record stands whole", async () => {
  const outbox = await openOutbox(file);
  await outbox.append(content("kept"));
  await outbox.close();
  await appendFile(file, '1234abcd {"type":"rec');
  const again = await openOutbox(file);
  expect(again.damagedLines).toEqual([]);
  await again.append(content("after"));
  await again.close();
  expect(parseOutbox(await readFile(file)).records.map((record) => record.sequence)).toEqual([1, 2]);
});

test("whatever the length at which the file was torn, the whole lines before it survive", async () => {
  const outbox = await openOutbox(file);
  for (const text of ["a", "b", "c"]) await outbox.append(content(text));
  await outbox.close();
  const whole = await readFile(file);
  fc.assert(
    fc.property(fc.nat(whole.length), (length) => {
      const torn = parseOutbox(whole.subarray(0, length));
      const lines = whole.subarray(0, length).toString().split("\n").length - 1;
      expect(torn.records).toHaveLength(Math.max(0, lines - 1));
      expect(torn.damagedLines).toEqual([]);
    }),
  );
});

test("a flipped byte costs one record, is told, and the others are sent", async () => {
  const outbox = await openOutbox(file);
  for (const text of ["a", "b", "c"]) await outbox.append(content(text));
  await outbox.close();
  const bytes = await readFile(file);
  bytes[bytes.indexOf('"b"') + 1] = 0x7a;
  await writeFile(file, bytes);
  const again = await openOutbox(file);
  expect(again.after(0, 10).map((record) => record.sequence)).toEqual([1, 3]);
  expect(again.damagedLines).toEqual([3]);
  await again.close();
});

test("an emptied file starts anew, and the server's acknowledgement restores the numbers", async () => {
  const outbox = await openOutbox(file);
  for (const text of ["a", "b"]) await outbox.append(content(text));
  await outbox.close();
  await truncate(file, 0);
  const again = await openOutbox(file);
  await again.append(content("new"));
  await again.acknowledge(2);
  expect(again.after(0, 10).map((record) => record.sequence)).toEqual([3]);
  expect(await again.append(content("newer"))).toBe(4);
  await again.close();
});

test("an acknowledgement told twice or late changes nothing", async () => {
  const outbox = await openOutbox(file);
  for (const text of ["a", "b", "c"]) await outbox.append(content(text));
  await outbox.acknowledge(2);
  await outbox.acknowledge(2);
  await outbox.acknowledge(1);
  expect(outbox.after(0, 10).map((record) => record.sequence)).toEqual([3]);
  await outbox.close();
});

test("listeners are told of every append until they leave", async () => {
  const outbox = await openOutbox(file);
  let told = 0;
  const leave = outbox.onAppend(() => (told += 1));
  await outbox.append(content(newUuid()));
  leave();
  await outbox.append(content(newUuid()));
  expect(told).toBe(1);
  await outbox.close();
});
