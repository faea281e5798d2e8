/** What a figure was measured on. */

import { readFile } from "node:fs/promises";
import { availableParallelism, cpus, loadavg, release, totalmem } from "node:os";
import { runProgram } from "./program-run.ts";

export type MachineFacts = {
  readonly processor: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly kernel: string;
  readonly system: string;
  readonly node: string;
  readonly restic: string;
  /** Of the last minute, before the bench began: others at work spoil figures. */
  readonly loadBefore: number;
};

export async function machineFacts(): Promise<MachineFacts> {
  const system = await readFile("/etc/os-release", "utf8").catch(() => "");
  const restic = await runProgram({ command: "restic", words: ["version"] });
  return {
    processor: cpus()[0]?.model ?? "unknown",
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    kernel: release(),
    system: /^PRETTY_NAME="(.*)"$/m.exec(system)?.[1] ?? "unknown",
    node: process.version,
    restic: restic.output.trim(),
    loadBefore: loadavg()[0] ?? 0,
  };
}
