import { expect, test } from "vitest";
import { formatBytes, parseBytes } from "./bytes.ts";

test.each([
  [0, "0 B"],
  [1023, "1023 B"],
  [1024, "1 KiB"],
  [1536, "1.5 KiB"],
  [10 * 1024 + 52, "10.1 KiB"],
  [1024 ** 2 - 1, "1 MiB"],
  [70 * 1024 ** 3, "70 GiB"],
  [3 * 1024 ** 6, "3072 PiB"],
])("%d bytes read %s", (sizeBytes, text) => {
  expect(formatBytes(sizeBytes)).toBe(text);
});

test.each([
  ["4096", 4096],
  ["70G", 70 * 1024 ** 3],
  ["1.5 MiB", 1_572_864],
  [" 2kb ", 2048],
])("the size %j is understood", (text, sizeBytes) => {
  expect(parseBytes(text)).toBe(sizeBytes);
});

test.each(["", "G", "-1", "1,5G", "10X", "1e9"])("the size %j is refused", (text) => {
  expect(parseBytes(text)).toBeUndefined();
});
