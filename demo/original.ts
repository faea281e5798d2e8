/** The customer's server before the disaster: a virtual machine on its own disk, with people changing rows in it. */

import { rm } from "node:fs/promises";
import { join } from "node:path";
import { GIB, must } from "@mainstay/kit";
import { diskNodeName, startMachine, type Machine } from "@mainstay/qemu";
import type { SampleServer } from "@mainstay/samples";
import { askUntilAnswered, type SqlPlace } from "./rows.ts";

export type Original = {
  readonly machine: Machine;
  readonly sql: SqlPlace;
  /** Where an agent captures the disk while the machine runs. */
  readonly capture: { readonly qmpSocket: string; readonly node: string };
  /** Runs pgbench inside the server for that long; how many transactions it reports. */
  runTransactions(seconds: number): Promise<number>;
  /** Cuts the power and deletes the disk. */
  destroy(): Promise<void>;
};

const START_TIMEOUT_MS = 300_000;
const GUEST_TIMEOUT_MS = 60_000;
const PGBENCH_CLIENTS = 4;

export async function startOriginal(
  sample: SampleServer,
  folder: string,
  signal: AbortSignal,
): Promise<Original> {
  const qmpSocket = join(folder, "qmp.sock");
  const machine = await startMachine(
    {
      name: sample.hostName,
      memoryBytes: GIB,
      cpus: 2,
      firmware: "bios",
      disks: [{ source: { kind: "file", path: sample.diskPath, format: "raw" }, bus: "virtio" }],
      network: { kind: "user", restrict: true, forwards: [{ hostPort: 0, guestPort: sample.sql.port }] },
      qmpSocket,
    },
    { signal },
  );
  try {
    const forward = must(machine.forwards[0], "the machine was asked for one forward");
    const { user, password, database } = sample.sql;
    const sql = { host: forward.host, port: forward.hostPort, user, password, database };
    await askUntilAnswered(sql, "select 1", START_TIMEOUT_MS, signal);
    const node = diskNodeName(0);
    return {
      machine,
      sql,
      capture: { qmpSocket, node },
      runTransactions: (seconds) => runPgbench(machine, database, seconds, signal),
      destroy: async () => {
        await machine.stop();
        await rm(sample.diskPath);
      },
    };
  } catch (cause) {
    await machine.stop();
    throw cause;
  }
}

async function runPgbench(
  machine: Machine,
  database: string,
  seconds: number,
  signal: AbortSignal,
): Promise<number> {
  const agent = must(machine.guestAgent, "the sample has a guest agent");
  await agent.ping({ timeoutMs: GUEST_TIMEOUT_MS, signal });
  const command = `pgbench --client=${PGBENCH_CLIENTS} --time=${seconds} --no-vacuum ${database}`;
  const { output } = await agent.run("/bin/su", ["-", "postgres", "-c", command], {
    timeoutMs: seconds * 1000 + GUEST_TIMEOUT_MS,
    signal,
  });
  const transactions = /transactions actually processed: (\d+)/.exec(output)?.[1];
  if (transactions === undefined) throw new Error(`pgbench failed: ${output.slice(0, 500)}`);
  return Number(transactions);
}
