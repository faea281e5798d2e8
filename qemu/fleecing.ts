/**
 * A moment of a running machine, readable while the machine goes on writing (image fleecing).
 *
 * A copy-before-write filter goes between each device and its disk: before the guest overwrites a block, the old one is
 * put aside in a temporary file. Reading the filter's snapshot gives every disk as it was at one instant, so the backup
 * is crash-consistent, and with frozen file systems (guest agent) consistent for them too. Should the temporary file run
 * full, the snapshot breaks and the backup fails: the guest never sees an error (`on-cbw-error: break-snapshot`).
 *
 * Bitmaps: at the same instant the parent's bitmap is stopped and served, and a new one, named after the new point,
 * begins. `commit` (the point is durable) drops the parent's; `abandon` pours the new into the parent's, which goes on.
 * Should we die in between, {@link reconcileBitmaps} does the one or the other at the next run, by the last durable point.
 */

import { open, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Waiting } from "./deadline.ts";
import {
  addArguments,
  findBitmap,
  findDisk,
  listDisks,
  transaction,
  type RunningDisk,
  type TransactionAction,
} from "./dirty-bitmap.ts";
import { qemuErrors } from "./errors.ts";
import { startExports, stopExports } from "./export.ts";
import type { GuestAgent } from "./guest-agent.ts";
import { asRecord } from "./json-shape.ts";
import type { Qmp } from "./qmp.ts";

const THAW_TIMEOUT_MS = 10_000;
/** Our bitmaps; others of the machine's owner are left alone. */
export const bitmapPrefix = "mainstay-";

export type MomentOptions = {
  /** Node names, in the order of the restore point. */
  readonly disks: readonly string[];
  /** Where the old blocks go; on the machine's own host, with room for what the guest writes meanwhile. */
  readonly directory: string;
  readonly socketPath: string;
  /** The bitmap that counts from the parent point, and the one that begins now; both without our prefix. */
  readonly parentPoint?: string | undefined;
  readonly point: string;
  /** Of new bitmaps, for a disk of that many bytes; a power of two. By default {@link bitmapGranularityBytes}. */
  readonly granularityBytes?: ((sizeBytes: number) => number) | undefined;
  /** File systems are frozen for the instant if the agent answers; the result says whether they were. */
  readonly guestAgent?: GuestAgent | undefined;
  readonly waiting?: Waiting | undefined;
};

export type MomentDisk = {
  readonly node: string;
  readonly exportName: string;
  readonly sizeBytes: number;
  /** Only the blocks that this context calls dirty can differ from the parent; without it, read all. */
  readonly changes:
    | { readonly state: "known"; readonly bitmap: string }
    | { readonly state: "unknown"; readonly reason: string };
};

export type Moment = {
  readonly socketPath: string;
  readonly disks: readonly MomentDisk[];
  readonly fileSystems:
    | { readonly state: "frozen"; readonly count: number }
    | { readonly state: "not-frozen"; readonly reason: string };
  /** Call when the new point is durable. */
  commit(): Promise<void>;
  /** Call when it is not. Nothing is lost: the next run's changes again count from the parent. */
  abandon(): Promise<void>;
};

type Part = {
  readonly disk: RunningDisk;
  readonly file: string;
  readonly parent: string | undefined;
  readonly described: MomentDisk;
};

/** Takes the moment. On failure the machine is as it was before. */
export async function takeMoment(qmp: Qmp, options: MomentOptions): Promise<Moment> {
  const parts: Part[] = [];
  const waiting = options.waiting;
  try {
    for (const node of options.disks) parts.push(await prepare(qmp, node, options));
    const fileSystems = await atOneInstant(qmp, parts, options);
    const exported = parts.map((part) => nodeExport(part));
    await startExports(qmp, options.socketPath, exported, waiting).catch(async (cause: unknown) => {
      await restoreParents(qmp, parts, options.point);
      throw cause;
    });
    return {
      socketPath: options.socketPath,
      disks: parts.map((part) => part.described),
      fileSystems,
      commit: () => finish(qmp, parts, options, "commit"),
      abandon: () => finish(qmp, parts, options, "abandon"),
    };
  } catch (cause) {
    await removeFilters(qmp, parts);
    throw cause;
  }
}

async function prepare(qmp: Qmp, node: string, options: MomentOptions): Promise<Part> {
  const disk = await findDisk(qmp, node, options.waiting);
  const found = findBitmap(
    disk,
    options.parentPoint === undefined ? undefined : bitmapPrefix + options.parentPoint,
  );
  const file = join(options.directory, `before-${node}-${process.pid}`);
  await makeSparseFile(file, disk.sizeBytes);
  await qmp.execute(
    "blockdev-add",
    { driver: "file", "node-name": asideNode(node), filename: file, discard: "unmap" },
    options.waiting,
  );
  const filter = {
    driver: "copy-before-write",
    "node-name": filterNode(node),
    file: node,
    target: asideNode(node),
    "on-cbw-error": "break-snapshot",
  };
  await qmp.execute("blockdev-add", filter, options.waiting);
  const parent = found.state === "usable" ? found.bitmap.name : undefined;
  const changes: MomentDisk["changes"] =
    found.state === "usable"
      ? { state: "known", bitmap: found.bitmap.name }
      : { state: "unknown", reason: found.reason };
  return { disk, file, parent, described: { node, exportName: node, sizeBytes: disk.sizeBytes, changes } };
}

async function makeSparseFile(file: string, sizeBytes: number): Promise<void> {
  const handle = await open(file, "w", 0o600);
  try {
    await handle.truncate(sizeBytes);
  } finally {
    await handle.close();
  }
}

/** The machine stands still for some milliseconds while filters go in and bitmaps change over. */
async function atOneInstant(
  qmp: Qmp,
  parts: readonly Part[],
  options: MomentOptions,
): Promise<Moment["fileSystems"]> {
  const fileSystems = await freeze(options.guestAgent, options.waiting);
  const running = asRecord(await qmp.execute("query-status", {}), "the machine's state")["running"] === true;
  try {
    if (running) await qmp.execute("stop");
    for (const part of parts) await attach(qmp, part.disk.device, filterNode(part.disk.node));
    await transaction(
      qmp,
      parts.flatMap((part) => changeOver(part, options)),
    );
    // The snapshot must exist before the guest writes again: it is what is read and what holds the filter in place.
    for (const part of parts) {
      await qmp.execute("blockdev-add", {
        driver: "snapshot-access",
        "node-name": snapshotNode(part.disk.node),
        file: filterNode(part.disk.node),
      });
    }
  } finally {
    if (running) await qmp.execute("cont");
    if (fileSystems.state === "frozen") await options.guestAgent?.thaw({ timeoutMs: THAW_TIMEOUT_MS });
  }
  return fileSystems;
}

function changeOver(part: Part, { point, granularityBytes }: MomentOptions): readonly TransactionAction[] {
  const { node, sizeBytes } = part.disk;
  const bitmap = addArguments(part.disk, bitmapPrefix + point, granularityBytes?.(sizeBytes));
  const begin: TransactionAction = { type: "block-dirty-bitmap-add", data: bitmap };
  if (part.parent === undefined) return [begin];
  return [{ type: "block-dirty-bitmap-disable", data: { node, name: part.parent } }, begin];
}

async function freeze(
  agent: GuestAgent | undefined,
  waiting: Waiting | undefined,
): Promise<Moment["fileSystems"]> {
  if (agent === undefined) return { state: "not-frozen", reason: "the machine has no guest agent" };
  try {
    return {
      state: "frozen",
      count: await agent.freeze({ timeoutMs: THAW_TIMEOUT_MS, signal: waiting?.signal }),
    };
  } catch (cause) {
    // An agent that was merely slow may have frozen after all.
    await agent.thaw({ timeoutMs: THAW_TIMEOUT_MS }).catch(() => {});
    waiting?.signal?.throwIfAborted();
    return { state: "not-frozen", reason: cause instanceof Error ? cause.message : "the guest agent failed" };
  }
}

function nodeExport(part: Part): {
  node: string;
  exportName: string;
  bitmap?: { node: string; name: string };
} {
  const shared = { node: snapshotNode(part.disk.node), exportName: part.described.exportName };
  return part.parent === undefined
    ? shared
    : { ...shared, bitmap: { node: part.disk.node, name: part.parent } };
}

async function finish(
  qmp: Qmp,
  parts: readonly Part[],
  options: MomentOptions,
  end: "commit" | "abandon",
): Promise<void> {
  await stopExports(qmp);
  await removeFilters(qmp, parts);
  if (end === "abandon") return restoreParents(qmp, parts, options.point);
  const removals = parts.flatMap(({ disk, parent }) =>
    parent === undefined ? [] : [remove(disk.node, parent)],
  );
  await transaction(qmp, removals);
}

/** What was counted since goes into the parent's bitmap, which counts on. */
async function restoreParents(qmp: Qmp, parts: readonly Part[], point: string): Promise<void> {
  const name = bitmapPrefix + point;
  await transaction(
    qmp,
    parts.flatMap(({ disk, parent }) => (parent === undefined ? [] : pour(disk.node, name, parent))),
  );
  await transaction(
    qmp,
    parts.map(({ disk }) => remove(disk.node, name)),
  );
}

function pour(node: string, from: string, into: string): readonly TransactionAction[] {
  return [
    { type: "block-dirty-bitmap-enable", data: { node, name: into } },
    { type: "block-dirty-bitmap-merge", data: { node, target: into, bitmaps: [from] } },
  ];
}

function remove(node: string, name: string): TransactionAction {
  return { type: "block-dirty-bitmap-remove", data: { node, name } };
}

async function removeFilters(qmp: Qmp, parts: readonly Part[]): Promise<void> {
  for (const { disk, file } of parts.toReversed()) {
    await quietly(qmp.execute("blockdev-del", { "node-name": snapshotNode(disk.node) }));
    await quietly(detachFilter(qmp, disk));
    await quietly(qmp.execute("blockdev-del", { "node-name": filterNode(disk.node) }));
    await quietly(qmp.execute("blockdev-del", { "node-name": asideNode(disk.node) }));
    await rm(file, { force: true });
  }
}

/** Only if the filter is in place: QEMU 7.2 dies when a device is given the node that it has. */
async function detachFilter(qmp: Qmp, disk: RunningDisk): Promise<void> {
  const current = (await listDisks(qmp)).find((one) => one.device === disk.device);
  if (current?.node === filterNode(disk.node)) await attach(qmp, disk.device, disk.node);
}

/** For steps back: what was never put in cannot be taken out. */
async function quietly(step: Promise<unknown>): Promise<void> {
  await step.catch((cause: unknown) => {
    if (!qemuErrors.is(cause, "command-failed") && !qemuErrors.is(cause, "closed")) throw cause;
  });
}

/** Puts `node` under the device, while it runs. */
async function attach(qmp: Qmp, device: string, node: string): Promise<void> {
  await qmp.execute("qom-set", { path: device, property: "drive", value: node });
}

/**
 * Tidies bitmaps of a run that died: those that began at a point that never became durable are poured into the bitmap of
 * `lastPoint`, which counts on; all others of ours go. Call before `takeMoment`, with the last durable point.
 */
export async function reconcileBitmaps(
  qmp: Qmp,
  node: string,
  lastPoint: string | undefined,
  waiting?: Waiting,
): Promise<void> {
  const disk = await findDisk(qmp, node, waiting);
  const kept = lastPoint === undefined ? undefined : bitmapPrefix + lastPoint;
  const ours = disk.bitmaps.filter((bitmap) => bitmap.name.startsWith(bitmapPrefix));
  const last = ours.find((bitmap) => bitmap.name === kept);
  const others = ours.filter((bitmap) => bitmap !== last);
  if (last !== undefined && !last.recording && !last.inconsistent) {
    const newer = others.filter((bitmap) => bitmap.recording && !bitmap.inconsistent);
    // Stopped, and nothing that counted on since: it misses writes and must not be trusted again.
    if (newer.length === 0)
      return transaction(
        qmp,
        ours.map((bitmap) => remove(node, bitmap.name)),
        waiting,
      );
    await transaction(
      qmp,
      newer.flatMap((bitmap) => pour(node, bitmap.name, last.name)),
      waiting,
    );
  }
  await transaction(
    qmp,
    others.map((bitmap) => remove(node, bitmap.name)),
    waiting,
  );
}

const asideNode = (node: string): string => `${node}-aside`;
const filterNode = (node: string): string => `${node}-filter`;
const snapshotNode = (node: string): string => `${node}-moment`;
