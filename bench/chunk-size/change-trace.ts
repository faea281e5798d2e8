/** A real change of a real disk: the sample server runs, PostgreSQL works for a while, the server is shut down. */

import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { GIB } from "@mainstay/kit";
import { startMachine } from "@mainstay/qemu";
import { buildSampleServer, type SampleServer, type SampleVariant } from "@mainstay/samples";
import { runProgram } from "../measure/program-run.ts";

export type ChangeTrace = {
  readonly before: string;
  readonly after: string;
  /** Transactions that pgbench saw committed. */
  readonly transactions: number;
};

const SERVER_WAIT_MAX = 120;

/** Leaves two disks in `folder`: as it was built, and as it is after `seconds` of pgbench's TPC-B. */
export async function recordChange(
  folder: string,
  variant: SampleVariant,
  seconds: number,
): Promise<ChangeTrace> {
  const server = await buildSampleServer({ variant, directory: folder });
  const [before, after] = [server.diskPath, join(folder, "after.raw")];
  await runProgram({ command: "cp", words: ["--sparse=always", before, after] });
  return { before, after, transactions: await workOn(server, after, seconds) };
}

async function workOn(server: SampleServer, disk: string, seconds: number): Promise<number> {
  const { kernelPath, initrdPath, commandLine } = server.directStart;
  await using machine = await startMachine({
    name: server.hostName,
    memoryBytes: GIB,
    cpus: 2,
    disks: [{ source: { kind: "file", path: disk, format: "raw" }, bus: "virtio" }],
    firmware: "bios",
    network: { kind: "user", restrict: true, forwards: [{ hostPort: 0, guestPort: server.sql.port }] },
    directKernel: { kernel: kernelPath, initrd: initrdPath, commandLine },
  });
  const port = String(machine.forwards[0]?.hostPort);
  const { user, password, database } = server.sql;
  const environment = { PGPASSWORD: password };
  const address = ["-h", "127.0.0.1", "-p", port, "-U", user];
  await waitUntilReady({
    command: "psql",
    words: [...address, "-d", database, "-c", "select 1"],
    environment,
  });
  const words = [...address, "-n", "-c", "4", "-T", String(seconds), database];
  const { output } = await runProgram({ command: "pgbench", words, environment });
  await machine.powerDown();
  return Number(/actually processed: (\d+)/.exec(output)?.[1] ?? 0);
}

async function waitUntilReady(program: Parameters<typeof runProgram>[0]): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await runProgram(program);
      return;
    } catch (cause) {
      if (attempt === SERVER_WAIT_MAX) throw cause;
      await sleep(1000);
    }
  }
}
