import { expect, test } from "vitest";
import { countTests } from "./test-run.ts";

const file = (status: string, ...tests: readonly string[]) => ({
  status,
  assertionResults: tests.map((each) => ({ status: each })),
});

test("passed, failed and everything that did not run are counted over all files", () => {
  const report = {
    testResults: [file("passed", "passed", "pending", "todo"), file("failed", "passed", "failed")],
  };
  expect(countTests(report)).toEqual({ passed: 2, failed: 1, skipped: 2 });
});

test("a file that broke before its first test is one failed test", () => {
  expect(countTests({ testResults: [file("failed")] })).toEqual({ passed: 0, failed: 1, skipped: 0 });
});

test("an empty report counts nothing", () => {
  expect(countTests({})).toEqual({ passed: 0, failed: 0, skipped: 0 });
});
