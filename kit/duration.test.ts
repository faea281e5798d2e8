import { expect, test } from "vitest";
import { formatDuration } from "./duration.ts";

test.each([
  [0, "0 ms"],
  [999, "999 ms"],
  [999.6, "1.0 s"],
  [5230, "5.2 s"],
  [59_949, "59.9 s"],
  [59_960, "1 min 00 s"],
  [65_000, "1 min 05 s"],
  [3_599_600, "1 h 00 min"],
  [7_380_000, "2 h 03 min"],
])("%d ms read %s", (durationMs, text) => {
  expect(formatDuration(durationMs)).toBe(text);
});
