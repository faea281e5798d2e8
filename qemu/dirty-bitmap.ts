/**
 * Dirty bitmaps: which blocks a running machine wrote since a point in time.
 *
 * A bitmap is worth only as much as its continuity. It is lost when QEMU ends, except on qcow2 with `persistent`, where
 * it is saved on a clean end and comes back marked inconsistent after a crash. Whoever cannot find a sound bitmap reads
 * every block: {@link findBitmap} says so with a reason and never guesses. A bitmap is named after the restore point it
 * counts from, so that a bitmap of another point, or of a run that failed, is not taken for it.
 */

import type { Waiting } from "./deadline.ts";
import { qemuErrors } from "./errors.ts";
import { asList, asRecord, isRecord, numberOr, textOr, type JsonRecord } from "./json-shape.ts";
import type { Qmp } from "./qmp.ts";

/** A power of two; 64 KiB costs 2 MiB of memory for each TiB of disk and suits clusters of qcow2. */
export const bitmapGranularityBytes = 64 * 1024;

export type Bitmap = {
  readonly name: string;
  readonly granularityBytes: number;
  readonly dirtyBytes: number;
  readonly recording: boolean;
  readonly persistent: boolean;
  /** Set after a crash: the bitmap misses writes and can only be removed. */
  readonly inconsistent: boolean;
  readonly busy: boolean;
};

export type RunningDisk = {
  /** The node at the device: what the guest sees. */
  readonly node: string;
  /** The device's path in QEMU's object tree. */
  readonly device: string;
  readonly sizeBytes: number;
  readonly format: string;
  readonly readOnly: boolean;
  readonly bitmaps: readonly Bitmap[];
};

export type FoundBitmap =
  | { readonly state: "usable"; readonly bitmap: Bitmap }
  | { readonly state: "unusable"; readonly reason: string };

const DISKS_MAX = 256;

/** The disks with a medium of a running machine. */
export async function listDisks(qmp: Qmp, waiting?: Waiting): Promise<readonly RunningDisk[]> {
  const answer = asList(await qmp.execute("query-block", {}, waiting), "the list of disks");
  return answer.slice(0, DISKS_MAX).flatMap((entry) => {
    const disk = asRecord(entry, "a disk");
    const inserted = disk["inserted"];
    if (!isRecord(inserted) || typeof inserted["node-name"] !== "string") return [];
    return [runningDisk(disk, inserted)];
  });
}

/** Rejects with `qemu.disk-unknown`. */
export async function findDisk(qmp: Qmp, node: string, waiting?: Waiting): Promise<RunningDisk> {
  const disks = await listDisks(qmp, waiting);
  const found = disks.find((disk) => disk.node === node);
  if (found !== undefined) return found;
  const names = disks.map((disk) => disk.node).join(", ") || "none";
  throw qemuErrors.error("disk-unknown", `Cannot find disk "${node}" of the machine: found ${names}`);
}

function runningDisk(disk: JsonRecord, inserted: JsonRecord): RunningDisk {
  const image = isRecord(inserted["image"]) ? inserted["image"] : {};
  const bitmaps = Array.isArray(inserted["dirty-bitmaps"]) ? inserted["dirty-bitmaps"] : [];
  return {
    node: textOr(inserted["node-name"], ""),
    device: textOr(disk["qdev"], textOr(disk["device"], "")),
    sizeBytes: numberOr(image["virtual-size"], 0),
    format: textOr(inserted["drv"], ""),
    readOnly: inserted["ro"] === true,
    bitmaps: bitmaps.filter(isRecord).map(bitmapOf),
  };
}

function bitmapOf(record: JsonRecord): Bitmap {
  return {
    name: textOr(record["name"], ""),
    granularityBytes: numberOr(record["granularity"], 0),
    dirtyBytes: numberOr(record["count"], 0),
    recording: record["recording"] === true,
    persistent: record["persistent"] === true,
    inconsistent: record["inconsistent"] === true,
    busy: record["busy"] === true,
  };
}

/** Whether bitmap `name` of `disk` tells all writes since it began; if not, why, and then all blocks must be read. */
export function findBitmap(disk: RunningDisk, name: string | undefined): FoundBitmap {
  if (name === undefined) return { state: "unusable", reason: "there is no earlier point" };
  const bitmap = disk.bitmaps.find((one) => one.name === name);
  if (bitmap === undefined)
    return { state: "unusable", reason: `bitmap "${name}" is gone, as after a restart of the machine` };
  if (bitmap.inconsistent)
    return { state: "unusable", reason: `bitmap "${name}" was not saved whole, as after a crash` };
  if (!bitmap.recording) return { state: "unusable", reason: `bitmap "${name}" stopped recording` };
  if (bitmap.busy)
    return { state: "unusable", reason: `bitmap "${name}" is in use by another job or export` };
  return { state: "usable", bitmap };
}

/** Begins to count writes. `persistent` where the node's format can keep it, which of QEMU's formats is qcow2 alone. */
export async function addBitmap(qmp: Qmp, disk: RunningDisk, name: string, waiting?: Waiting): Promise<void> {
  await qmp.execute("block-dirty-bitmap-add", addArguments(disk, name), waiting);
}

export function addArguments(
  disk: RunningDisk,
  name: string,
  granularity = bitmapGranularityBytes,
): JsonRecord {
  return { node: disk.node, name, granularity, persistent: disk.format === "qcow2" && !disk.readOnly };
}

export async function removeBitmap(qmp: Qmp, node: string, name: string, waiting?: Waiting): Promise<void> {
  await qmp.execute("block-dirty-bitmap-remove", { node, name }, waiting);
}

export type TransactionAction = { readonly type: string; readonly data: JsonRecord };

/** All actions or none, at one instant of all disks. */
export async function transaction(
  qmp: Qmp,
  actions: readonly TransactionAction[],
  waiting?: Waiting,
): Promise<void> {
  if (actions.length > 0) await qmp.execute("transaction", { actions }, waiting);
}
