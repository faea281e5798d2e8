/** Ports of the host that lead into the guest: which they are, and whether a connection really reached it. */

import { readFile, readlink } from "node:fs/promises";
import { must } from "@mainstay/kit";
import { qemuErrors } from "./errors.ts";
import type { Forward, MachineNetwork } from "./machine-spec.ts";
import type { Waiting } from "./deadline.ts";
import type { Qmp } from "./qmp.ts";

export type OpenForward = { readonly host: string; readonly hostPort: number; readonly guestPort: number };

type UserConnection = {
  /** Of QEMU's process. */
  readonly descriptor: number;
  readonly state: string;
  readonly sourceAddress: string;
  readonly sourcePort: number;
  readonly targetPort: number;
};

/**
 * The ports as they truly are. QEMU was told port 0 where a free one is wanted, so that the kernel chose it while
 * binding: no other process can take it in between.
 */
export async function readForwards(
  qmp: Qmp,
  network: MachineNetwork,
  waiting?: Waiting,
): Promise<readonly OpenForward[]> {
  if (network.kind === "none" || network.forwards.length === 0) return [];
  const listening = parseUserNetwork(await qmp.human("info usernet", waiting)).filter(
    (one) => one.state === "HOST_FORWARD",
  );
  return network.forwards.map((forward) => openForward(forward, listening));
}

/**
 * Whether the guest answered the connection that comes from `clientPort` of this host; before, only QEMU has taken it.
 * QEMU's table tells states by its own descriptors, so the kernel is asked which of them leads to the client (proc(5)).
 */
export async function isConnectionEstablished(
  qmp: Qmp,
  pid: number,
  clientPort: number,
  waiting?: Waiting,
): Promise<boolean> {
  const connections = parseUserNetwork(await qmp.human("info usernet", waiting));
  const established = connections.filter((one) => one.state === "ESTABLISHED");
  if (established.length === 0) return false;
  const inodes = await inodesLeadingTo(clientPort);
  // A descriptor that was closed since the table was printed is no established connection.
  const links = await Promise.all(
    established.map((one) => readlink(`/proc/${pid}/fd/${one.descriptor}`).catch(() => "")),
  );
  return links.some((link) => inodes.has(/^socket:\[(\d+)\]$/.exec(link)?.[1] ?? ""));
}

/** Sockets of this host whose peer has the port: columns of /proc/net/tcp are number, local, remote, …, inode as tenth. */
async function inodesLeadingTo(port: number): Promise<ReadonlySet<string>> {
  const remote = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const rows = (await readFile("/proc/net/tcp", "utf8")).split("\n").map((line) => line.trim().split(/\s+/));
  return new Set(rows.filter((cells) => cells[2]?.endsWith(remote) === true).map((cells) => cells[9] ?? ""));
}

function openForward(forward: Forward, listening: readonly UserConnection[]): OpenForward {
  const found = listening.find((one) => one.targetPort === forward.guestPort);
  if (found === undefined) {
    throw qemuErrors.error(
      "start-failed",
      `Cannot forward to port ${forward.guestPort} of the guest: QEMU does not list it`,
    );
  }
  return { host: forward.host ?? "127.0.0.1", hostPort: found.sourcePort, guestPort: forward.guestPort };
}

const ROW = /^\s*TCP\[([A-Z0-9_]+)\]\s+(-?\d+)\s+(\S+)\s+(\d+)\s+(\S+)\s+(\d+)\s+\d+\s+\d+\s*$/;

/** The table that `info usernet` prints: protocol[state], descriptor, source, port, target, port, two queues. */
export function parseUserNetwork(text: string): readonly UserConnection[] {
  const rows = text.split(/\r?\n/).map((line) => ROW.exec(line));
  return rows.flatMap((row) => {
    if (row === null) return [];
    const cell = (index: number): string => must(row[index], "every group of ROW takes part in a match");
    return [
      {
        state: cell(1),
        descriptor: Number(cell(2)),
        sourceAddress: cell(3),
        sourcePort: Number(cell(4)),
        targetPort: Number(cell(6)),
      },
    ];
  });
}
