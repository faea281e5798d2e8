/** Runs vitest as a child and reads from its report how many tests passed, failed and were skipped. */

import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "./static-checks.ts";

export type TestCounts = { readonly passed: number; readonly failed: number; readonly skipped: number };

export type TestRunOptions = {
  readonly paths: readonly string[];
  /** Tests that run for hours look at MAINSTAY_SOAK. */
  readonly soak: boolean;
  readonly signal: AbortSignal;
};

export async function runTests(options: TestRunOptions): Promise<TestCounts> {
  const directory = await mkdtemp(join(tmpdir(), "mainstay-test-"));
  try {
    const report = join(directory, "report.json");
    const status = await runVitest(report, options);
    const text = await readFile(report, "utf8").catch(() => undefined);
    return withStatus(text === undefined ? NONE : countTests(JSON.parse(text)), status);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

const NONE: TestCounts = { passed: 0, failed: 0, skipped: 0 };

async function runVitest(report: string, options: TestRunOptions): Promise<number> {
  const words = [
    "run",
    ...options.paths,
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${report}`,
  ];
  const child = spawn(process.execPath, [join(ROOT, "node_modules/vitest/vitest.mjs"), ...words], {
    cwd: ROOT,
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...process.env, ...(options.soak ? { MAINSTAY_SOAK: "1" } : {}) },
    signal: options.signal,
    killSignal: "SIGINT",
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status) => resolve(status ?? 1));
  });
}

/** Something failed outside a test (an unhandled rejection, no test found): never reported as green. */
function withStatus(counts: TestCounts, status: number): TestCounts {
  return status !== 0 && counts.failed === 0 ? { ...counts, failed: 1 } : counts;
}

/** Counts vitest's JSON report. A file that broke before its first test counts as one failed test. */
export function countTests(report: unknown): TestCounts {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const file of listIn(report, "testResults")) {
    const statuses = listIn(file, "assertionResults").map((test) => fieldOf(test, "status"));
    for (const status of statuses) {
      if (status === "passed") counts.passed += 1;
      else if (status === "failed") counts.failed += 1;
      else counts.skipped += 1;
    }
    if (fieldOf(file, "status") === "failed" && !statuses.includes("failed")) counts.failed += 1;
  }
  return counts;
}

function listIn(value: unknown, name: string): readonly unknown[] {
  const list = fieldOf(value, name);
  return Array.isArray(list) ? list : [];
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null
    ? Object.entries(value).find(([key]) => key === name)?.[1]
    : undefined;
}
