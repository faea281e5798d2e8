import { expect, test } from "vitest";
import { newUuid } from "./ids.ts";

test("a new id is a version 7 UUID that begins with its time", () => {
  const id = newUuid(new Date(0x0123_4567_89ab), new Uint8Array(10).fill(0xff));
  expect(id).toBe("01234567-89ab-7fff-bfff-ffffffffffff");
});

test("ids of later milliseconds sort later", () => {
  const ids = [5, 6, 1_000_000].map((time) => newUuid(new Date(time)));
  expect([...ids].sort()).toEqual(ids);
});

test("ids of one millisecond differ", () => {
  const now = new Date();
  expect(new Set(Array.from({ length: 1000 }, () => newUuid(now))).size).toBe(1000);
});
