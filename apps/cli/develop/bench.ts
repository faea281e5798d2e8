/** `mainstay bench`: each benchmark is a program of its own in `bench/`, so that its memory figures are its own. */

import { spawn } from "node:child_process";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { defineCommand, type ExitStatus } from "../command.ts";
import { ensurePrograms, PROGRAMS_OF_TESTS } from "../debian-packages.ts";
import { cliErrors } from "../errors.ts";
import type { Terminal } from "../terminal/terminal.ts";

const BENCH_DIRECTORY = join(import.meta.dirname, "../../../bench");
const BENCH_FILE = /^(?<name>[a-z0-9-]+)\.bench\.ts$/;

export const command = defineCommand({
  details:
    "Without a name, lists the benchmarks there are. What follows the name is handed to the benchmark.",
  arguments: [
    { name: "name", about: "the benchmark", optional: true },
    { name: "words", about: "its own arguments, after --", many: "any number" },
  ],
  examples: ["bench", "bench vault"],
  run: async ({ arguments: [name, words], terminal, signal }) => {
    const names = await benchNames();
    if (name === undefined) return list(names, terminal);
    if (!names.includes(name)) {
      throw cliErrors.error(
        "usage",
        `Cannot run benchmark "${name}": found ${names.join(", ") || "none"}; name one of them`,
      );
    }
    await ensurePrograms(PROGRAMS_OF_TESTS, terminal, signal);
    return runBench(join(BENCH_DIRECTORY, `${name}.bench.ts`), words, signal);
  },
});

async function benchNames(): Promise<readonly string[]> {
  const files = await readdir(BENCH_DIRECTORY);
  return files.flatMap((file) => BENCH_FILE.exec(file)?.groups?.["name"] ?? []).toSorted();
}

function list(names: readonly string[], terminal: Terminal): ExitStatus {
  for (const name of names) terminal.print(name);
  return 0;
}

async function runBench(path: string, words: readonly string[], signal: AbortSignal): Promise<ExitStatus> {
  const child = spawn(process.execPath, [path, ...words], {
    stdio: ["ignore", "inherit", "inherit"],
    signal,
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status) => resolve(status === 0 ? 0 : 1));
  });
}
