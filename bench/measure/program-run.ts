/** Running a program to its end, with its time, processor time and peak memory. */

import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { systemClock } from "@mainstay/kit";

export type ProgramRun = {
  readonly seconds: number;
  /** Of all its threads, in the program and in the kernel on its behalf. */
  readonly processorSeconds: number;
  /** The most that was resident at once, of all its threads. */
  readonly peakBytes: number;
  readonly output: string;
};

export type Program = {
  readonly command: string;
  readonly words: readonly string[];
  readonly environment?: Readonly<Record<string, string>> | undefined;
  readonly folder?: string | undefined;
};

/** The kernel keeps the peak; what a process does in its last moments is all that polling can miss. */
const POLL_EVERY_MS = 10;
/** Of /proc/PID/stat; 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;
const ERROR_TEXT_MAX = 4000;

/** Rejects, with what the program wrote to standard error, unless its status is 0. */
export async function runProgram(program: Program): Promise<ProgramRun> {
  const startMs = systemClock.monotonicMs();
  const child = spawn(program.command, program.words, {
    cwd: program.folder,
    env: { ...process.env, ...program.environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  let errorText = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
  child.stderr
    .setEncoding("utf8")
    .on("data", (text: string) => (errorText = (errorText + text).slice(-ERROR_TEXT_MAX)));
  let figures = { processorSeconds: 0, peakBytes: 0 };
  const poll = setInterval(() => (figures = readFigures(child.pid) ?? figures), POLL_EVERY_MS);
  try {
    const status = await new Promise<number | null>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", resolve);
    });
    const seconds = (systemClock.monotonicMs() - startMs) / 1000;
    if (status === 0) return { seconds, ...figures, output };
    throw new Error(
      `Cannot run ${program.command} ${program.words.join(" ")}: found status ${status}: ${errorText}`,
    );
  } finally {
    clearInterval(poll);
  }
}

/** `undefined` once the process is gone. */
function readFigures(pid: number | undefined): { processorSeconds: number; peakBytes: number } | undefined {
  try {
    const peak = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    if (peak === undefined) return undefined;
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The second field is the name in brackets and may hold anything; user and system time are the 14th and 15th.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const ticks = Number(fields[11]) + Number(fields[12]);
    return { processorSeconds: ticks / TICKS_PER_SECOND, peakBytes: Number(peak) * 1024 };
  } catch {
    return undefined;
  }
}
