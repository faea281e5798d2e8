/** What recovery is measured against: the same disk as a plain raw file, in the same machine, asked the same. */

import { rm } from "node:fs/promises";
import { GIB, systemClock } from "@mainstay/kit";
import { startMachine } from "@mainstay/qemu";
import { parseProbe, runProbe } from "@mainstay/recovery";
import { runProgram } from "../measure/program-run.ts";

export type DirectSeconds = {
  /** The first right answer over SQL. */
  readonly service: number;
  /** All answers right. */
  readonly passed: number;
};

/** A copy for one boot: the machine writes to its disk, and the next boot must find it as the backup found it. */
export async function copyDisk(source: string, copy: string): Promise<void> {
  await rm(copy, { force: true });
  await runProgram({ command: "cp", words: ["--sparse=auto", "--reflink=auto", source, copy] });
}

/** Seconds from starting the machine. Memory, processors and bus are the defaults of `mainstay recover`. */
export async function bootDirectly(disk: string, probes: readonly string[]): Promise<DirectSeconds> {
  const startMs = systemClock.monotonicMs();
  const secondsNow = (): number => (systemClock.monotonicMs() - startMs) / 1000;
  const specs = probes.map(parseProbe);
  const port = 5432;
  await using machine = await startMachine({
    name: "direct",
    memoryBytes: GIB,
    cpus: 2,
    firmware: "bios",
    disks: [{ source: { kind: "file", path: disk, format: "raw" }, bus: "virtio" }],
    network: { kind: "user", restrict: true, forwards: [{ hostPort: 0, guestPort: port }] },
  });
  let service: number | undefined;
  const context = {
    host: "127.0.0.1",
    hostPort: () => machine.forwards.find(({ guestPort }) => guestPort === port)?.hostPort,
    confirmConnection: (clientPort: number) => machine.isConnectionEstablished(clientPort),
    onService: () => void (service ??= secondsNow()),
  };
  const results = await Promise.all(specs.map((spec) => runProbe(spec, context)));
  const passed = secondsNow();
  const failed = results.find(({ state }) => state === "failed");
  if (failed !== undefined)
    throw new Error(`Cannot measure the direct boot: ${failed.asked}: ${failed.error ?? ""}`);
  return { service: service ?? passed, passed };
}
