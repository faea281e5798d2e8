/** Nodes of a running machine as read-only NBD exports on a unix socket, with dirty bitmaps as metadata contexts. */

import { setTimeout as sleep } from "node:timers/promises";
import type { Waiting } from "./deadline.ts";
import { qemuErrors } from "./errors.ts";
import { asList } from "./json-shape.ts";
import type { Qmp } from "./qmp.ts";

export type NodeExport = {
  readonly node: string;
  readonly exportName: string;
  /** Served as context `qemu:dirty-bitmap:NAME`; it may lie on another node than the exported one. */
  readonly bitmap?: { readonly node: string; readonly name: string };
};

/** The name under which a client asks for the extents of bitmap `name`. */
export const bitmapContext = (name: string): string => `qemu:dirty-bitmap:${name}`;

const CONNECTIONS_MAX = 16;
const GONE_TIMEOUT_MS = 10_000;
const GONE_PAUSE_MS = 10;

/** A machine has one NBD server at most. Rejects with `qemu.command-failed` when another client already started it. */
export async function startExports(
  qmp: Qmp,
  socketPath: string,
  nodes: readonly NodeExport[],
  waiting?: Waiting,
): Promise<void> {
  const addr = { type: "unix", data: { path: socketPath } };
  await qmp.execute("nbd-server-start", { addr, "max-connections": CONNECTIONS_MAX }, waiting);
  try {
    for (const one of nodes) await addExport(qmp, one, waiting);
  } catch (cause) {
    await stopExports(qmp);
    throw cause;
  }
}

async function addExport(qmp: Qmp, one: NodeExport, waiting: Waiting | undefined): Promise<void> {
  const bitmaps = one.bitmap === undefined ? [] : [{ node: one.bitmap.node, name: one.bitmap.name }];
  const settings = {
    type: "nbd",
    id: `export-${one.node}`,
    "node-name": one.node,
    name: one.exportName,
    writable: false,
    bitmaps,
  };
  await qmp.execute("block-export-add", settings, waiting);
}

/** Ends the server and all its exports, whoever still reads. May be called when there is none. */
export async function stopExports(qmp: Qmp, waiting?: Waiting): Promise<void> {
  try {
    await qmp.execute("nbd-server-stop", {}, waiting);
  } catch (cause) {
    if (!qemuErrors.is(cause, "command-failed")) throw cause;
  }
  await untilGone(qmp, waiting);
}

/** Clients are cut off, but their last requests still hold the nodes for a moment. */
async function untilGone(qmp: Qmp, waiting: Waiting | undefined): Promise<void> {
  const deadline = performance.now() + GONE_TIMEOUT_MS;
  while (asList(await qmp.execute("query-block-exports", {}, waiting), "the list of exports").length > 0) {
    if (performance.now() > deadline)
      throw qemuErrors.error(
        "timed-out",
        `Cannot end exports: they are still there after ${GONE_TIMEOUT_MS / 1000} s`,
      );
    await sleep(GONE_PAUSE_MS, undefined, { signal: waiting?.signal });
  }
}
