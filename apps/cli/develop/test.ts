/** `mainstay test`: the static checks, then the tests, then one line that says how it went. */

import { formatDuration } from "@mainstay/kit";
import { defineCommand } from "../command.ts";
import { ensurePrograms, PROGRAMS_OF_TESTS } from "../debian-packages.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { runStaticCheck, STATIC_CHECKS } from "./static-checks.ts";
import { runTests } from "./test-run.ts";

export const command = defineCommand({
  details:
    "Installs the Debian packages the tests need if it may. The last line of the output is\n" +
    '"N passed, N failed, N skipped"; a static check that fails counts as one failed.',
  arguments: [
    { name: "paths", about: "only the test files whose path contains one of these", many: "any number" },
  ],
  options: {
    soak: { about: "run the long tests too, for hours" },
  },
  examples: ["test", "test vault/format kit"],
  run: async ({ options, arguments: [paths], terminal, signal }) => {
    await ensurePrograms(PROGRAMS_OF_TESTS, terminal, signal);
    const failedChecks = await runStaticChecks(terminal, signal);
    const tests = await runTests({ paths, soak: options.soak, signal });
    signal.throwIfAborted();
    const failed = tests.failed + failedChecks.length;
    if (failedChecks.length > 0) terminal.print(`\nStatic checks that failed: ${failedChecks.join(", ")}`);
    terminal.print(`${tests.passed} passed, ${failed} failed, ${tests.skipped} skipped`);
    return failed === 0 ? 0 : 1;
  },
});

async function runStaticChecks(terminal: Terminal, signal: AbortSignal): Promise<readonly string[]> {
  const failed: string[] = [];
  for (const check of STATIC_CHECKS) {
    const startMs = performance.now();
    const { passed, output } = await runStaticCheck(check, signal);
    const duration = formatDuration(performance.now() - startMs);
    terminal.note(`${passed ? "✓" : "✗"} ${check.name} (${duration})`);
    if (passed) continue;
    failed.push(check.name);
    terminal.note(`${output}\nTo mend or look closer: ${check.wayOut}`);
  }
  return failed;
}
