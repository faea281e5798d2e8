/** The rate told is that of the last seconds. */

import type { RunProgress } from "@mainstay/contract";
import { expect, test } from "vitest";
import { withRate } from "./capture-sources.ts";

test("the rate and the time left follow what was done lately", () => {
  const told: RunProgress[] = [];
  let nowMs = 0;
  const tell = withRate(
    (progress) => told.push(progress),
    () => nowMs,
  );
  tell({ phase: "reading", doneBytes: 0, totalBytes: 1000 });
  nowMs = 1000;
  tell({ phase: "reading", doneBytes: 100, totalBytes: 1000 });
  nowMs = 10_000;
  tell({ phase: "reading", doneBytes: 100, totalBytes: 1000 });
  expect(told.map(({ bytesPerSecond, remainingMs }) => [bytesPerSecond, remainingMs])).toEqual([
    [0, null],
    [100, 9000],
    [0, null],
  ]);
});

test("a new phase begins anew", () => {
  const told: RunProgress[] = [];
  let nowMs = 0;
  const tell = withRate(
    (progress) => told.push(progress),
    () => (nowMs += 1000),
  );
  tell({ phase: "reading", doneBytes: 500, totalBytes: 1000 });
  tell({ phase: "finishing", doneBytes: 0, totalBytes: 0 });
  expect(told[1]?.bytesPerSecond).toBe(0);
});
