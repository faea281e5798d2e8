import { expect, test } from "vitest";
import { isZero } from "./zero.ts";

test("nothing but zeros is zero, at any length", () => {
  for (const length of [0, 1, 63, 65_535, 65_536, 65_537, 200_000]) {
    expect(isZero(new Uint8Array(length))).toBe(true);
  }
});

test("one set bit anywhere is found", () => {
  const bytes = new Uint8Array(150_000);
  for (const at of [0, 1, 15, 4095, 65_535, 65_536, 131_071, 149_999]) {
    bytes[at] = 0x80;
    expect(isZero(bytes), `byte ${at}`).toBe(false);
    bytes[at] = 0;
  }
});

test("looks only at its own part of a larger buffer", () => {
  const bytes = new Uint8Array(300).fill(1);
  bytes.fill(0, 100, 200);
  expect(isZero(bytes.subarray(100, 200))).toBe(true);
  expect(isZero(bytes.subarray(99, 200))).toBe(false);
});
