/** Byte counts keep three significant digits and never round up to a hundred per cent. */

import { describe, expect, it } from "vitest";
import { formatBytes, formatCount, formatRate, percentOf } from "./bytes.ts";

describe("a byte count", () => {
  it.each([
    [0, "0 B"],
    [100, "100 B"],
    [1023, "1023 B"],
    [1024, "1 KiB"],
    [1536, "1.5 KiB"],
    [104_857_600, "100 MiB"],
    [1_073_741_000, "1 GiB"],
    [75_161_927_680, "70 GiB"],
    [2 ** 60, "1024 PiB"],
  ])("%i reads %s", (sizeBytes, text) => {
    expect(formatBytes(sizeBytes)).toBe(text);
  });

  it("reads a rate per second", () => {
    expect(formatRate(117_440_512)).toBe("112 MiB/s");
  });
});

describe("a share", () => {
  it("is unknown while the whole is unknown", () => {
    expect(percentOf(5, 0)).toBeNull();
  });
  it("is 100 only when all is done", () => {
    expect(percentOf(9_999, 10_000)).toBe(99);
    expect(percentOf(10_000, 10_000)).toBe(100);
  });
});

it("counts in singular and plural with thousands kept apart", () => {
  expect([formatCount(1, "device"), formatCount(0, "device"), formatCount(12_345, "device")]).toEqual([
    "1 device",
    "0 devices",
    "12,345 devices",
  ]);
});
