/** Runs one command as this process: signals, failures and the exit status. */

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describeFailure } from "./failure.ts";
import { listenForInterruption } from "./interrupt.ts";
import { runProgram } from "./program.ts";

export async function main(words: readonly string[]): Promise<void> {
  const isJson = words.includes("--json");
  let interruptedStatus: number | undefined;
  using interruption = listenForInterruption((status) => {
    interruptedStatus = status;
    if (!isJson) process.stderr.write("\nStopping; press Ctrl-C again to end at once\n");
  });
  quietBrokenPipes();
  try {
    const streams = { output: process.stdout, error: process.stderr, input: process.stdin };
    const status = await runProgram(words, {
      signal: interruption.signal,
      version: await version(),
      streams,
    });
    process.exitCode = interruptedStatus ?? status;
  } catch (cause) {
    const withStack = (process.env["MAINSTAY_DEBUG"] ?? "") !== "";
    const failure = describeFailure(cause, { mode: isJson ? "json" : "text", interruptedStatus, withStack });
    if (failure.lines.length > 0) process.stderr.write(`${failure.lines.join("\n")}\n`);
    process.exitCode = failure.status;
  }
}

/** `mainstay … | head` ends like any other program when the reader has seen enough. */
function quietBrokenPipes(): void {
  process.stdout.on("error", (cause: NodeJS.ErrnoException) => {
    if (cause.code === "EPIPE") process.exit(0);
    throw cause;
  });
}

async function version(): Promise<string> {
  const manifest: unknown = JSON.parse(
    await readFile(join(import.meta.dirname, "../../package.json"), "utf8"),
  );
  const number =
    manifest !== null && typeof manifest === "object" && "version" in manifest ? manifest.version : "unknown";
  return `mainstay ${String(number)} (Node ${process.versions.node})`;
}
