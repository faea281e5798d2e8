/** Mainstay's own commands as processes of their own, as on a customer's machine. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

const CLI = join(import.meta.dirname, "../apps/cli/main.ts");
const END_TIMEOUT_MS = 20_000;
const LAST_WORDS_CHARS = 1000;

export type RunningProgram = AsyncDisposable & {
  /** The first line of its output; rejects if the program ends before it, or before it is told to. */
  readonly firstLine: Promise<string>;
};

/** Starts `mainstay WORDS…`; its output goes to the file `log`. Disposing of it ends it, in order if it can. */
export function startProgram(words: readonly string[], log: string): RunningProgram {
  const output = createWriteStream(log, { mode: 0o600 });
  // Ends with us even if we are killed: nothing of the demo may be left running.
  const command = ["--pdeathsig", "TERM", process.execPath, CLI, ...words];
  const child = spawn("setpriv", command, { stdio: ["ignore", "pipe", "pipe"], detached: true });
  const lines = createInterface({ input: child.stdout });
  lines.on("line", (line) => output.write(`${line}\n`));
  child.stderr.pipe(output, { end: false });
  let lastWords = "";
  child.stderr.on("data", (text: Buffer) => {
    lastWords = (lastWords + text.toString("utf8")).slice(-LAST_WORDS_CHARS);
  });
  let isWanted = true;
  const exit = once(child, "exit");
  const ended = exit.then((): never => {
    throw new Error(`"mainstay ${words.slice(0, 2).join(" ")}" ended by itself: ${lastWords.trim()}`);
  });
  const firstLine = Promise.race([once(lines, "line").then(([line]) => String(line)), ended]);
  firstLine.catch(() => undefined);
  return {
    firstLine,
    [Symbol.asyncDispose]: async () => {
      if (!isWanted) return;
      isWanted = false;
      if (child.exitCode === null) child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), END_TIMEOUT_MS);
      await exit;
      clearTimeout(timer);
      output.end();
    },
  };
}

/** Runs `mainstay WORDS… --json` to its end and gives what it printed. */
export async function runProgram(words: readonly string[], signal: AbortSignal): Promise<unknown> {
  const child = spawn(process.execPath, [CLI, ...words, "--json"], {
    stdio: ["ignore", "pipe", "pipe"],
    signal,
  });
  const [output, errors] = [collect(child.stdout), collect(child.stderr)];
  const [status] = await once(child, "exit");
  if (status === 0) return JSON.parse(await output);
  throw new Error(`"mainstay ${words.slice(0, 2).join(" ")}" failed: ${(await errors).trim()}`);
}

async function collect(stream: NodeJS.ReadableStream): Promise<string> {
  let text = "";
  for await (const part of stream) text += String(part);
  return text;
}
