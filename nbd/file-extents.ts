/**
 * Where a raw file holds data and where it has holes, without reading it.
 *
 * Node has no SEEK_DATA, so `qemu-img map` asks the file system; it takes milliseconds whatever the size. A hole is
 * believed only if the file did not change around the asking: what is not known for sure counts as data.
 */

import { execFile } from "node:child_process";
import type { BigIntStats } from "node:fs";
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

import { messageOf, systemCodeOf } from "@mainstay/kit";

import type { Extent } from "./block-device.ts";
import { nbdErrors } from "./errors.ts";
import { appendExtent, clipExtents } from "./extents.ts";

/** File times are as coarse as a kernel tick: a file changed this recently may change again under the same time. */
const SETTLE_MS = 50;
const ATTEMPTS_MAX = 3;
const MAP_OUTPUT_BYTES_MAX = 512 * 1024 * 1024;
const SECTOR_BYTES = 512;

const run = promisify(execFile);

/** Equal stamps mean the same content, as far as the file system tells. */
export type FileStamp = { readonly key: string; readonly sizeBytes: number; readonly modifiedMs: number };

export type FileMap = {
  readonly extents: readonly Extent[];
  /** The state of the file that the map speaks of; `undefined` if it changed while it was mapped. */
  readonly stamp: FileStamp | undefined;
};

/**
 * Extents that cover the file whole; holes are `zero`. A file that keeps changing, and a block device, is all data.
 * Rejects with `nbd.file-unusable`, or with `nbd.map-failed` if `qemu-img` (package qemu-utils) is missing or fails.
 */
export async function fileExtents(path: string, signal?: AbortSignal): Promise<readonly Extent[]> {
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt += 1) {
    const { extents, stamp } = await mapFile(path, signal);
    if (stamp !== undefined) return extents;
    if (attempt < ATTEMPTS_MAX) await sleep(SETTLE_MS * 1.5, undefined, { signal });
  }
  return allData((await statOf(path)).size);
}

/** One attempt at a map. Without a stamp the extents may already be out of date. */
export async function mapFile(path: string, signal?: AbortSignal): Promise<FileMap> {
  const before = await statOf(path);
  const sizeBytes = Number(before.size);
  const stamp = stampOf(before);
  if (!before.isFile() || before.blocks * BigInt(SECTOR_BYTES) >= before.size) {
    return { extents: allData(before.size), stamp };
  }
  const mappedAtMs = Date.now();
  const extents = clipExtents(await askQemu(path, signal), 0, sizeBytes);
  const isSame = stampOf(await statOf(path)).key === stamp.key;
  const isSettled = mappedAtMs - stamp.modifiedMs > SETTLE_MS;
  return { extents, stamp: isSame && isSettled ? stamp : undefined };
}

export function stampOf(stats: BigIntStats): FileStamp {
  const key = [stats.dev, stats.ino, stats.size, stats.mtimeNs, stats.ctimeNs, stats.blocks].join(":");
  return { key, sizeBytes: Number(stats.size), modifiedMs: Number(stats.mtimeMs) };
}

async function statOf(path: string): Promise<BigIntStats> {
  try {
    return await stat(path, { bigint: true });
  } catch (cause) {
    const message = `Cannot map the file "${path}": ${messageOf(cause)}; check the path and its permissions`;
    throw nbdErrors.error("file-unusable", message, { cause, values: { path } });
  }
}

const allData = (sizeBytes: bigint): readonly Extent[] =>
  sizeBytes === 0n ? [] : [{ offset: 0, length: Number(sizeBytes), kind: "data" }];

/** `-U` because a running machine may hold the file's lock; image options because a path may look like a URL. */
async function askQemu(path: string, signal: AbortSignal | undefined): Promise<readonly Extent[]> {
  const filename = resolve(path).replaceAll(",", ",,");
  const options = `driver=raw,file.driver=file,file.filename=${filename}`;
  try {
    const { stdout } = await run("qemu-img", ["map", "--output=json", "-U", "--image-opts", options], {
      maxBuffer: MAP_OUTPUT_BYTES_MAX,
      signal,
    });
    return parseMap(stdout);
  } catch (cause) {
    signal?.throwIfAborted();
    const isMissing = systemCodeOf(cause) === "ENOENT";
    const remedy = isMissing ? "install the package qemu-utils" : "check the file";
    const found = isMissing ? "no program qemu-img" : messageOf(cause);
    const message = `Cannot map the holes of "${path}": found ${found}, wanted a map; ${remedy}`;
    throw nbdErrors.error("map-failed", message, { cause, values: { path } });
  }
}

/** Anything in the output that is not plainly a hole is data. */
export function parseMap(json: string): readonly Extent[] {
  const entries: unknown = JSON.parse(json);
  if (!Array.isArray(entries)) throw new TypeError("found no list in the output of qemu-img map");
  const extents: Extent[] = [];
  let expected = 0;
  for (const entry of entries as readonly Record<string, unknown>[]) {
    const { start, length } = entry;
    if (typeof start !== "number" || typeof length !== "number" || start !== expected || length <= 0) {
      throw new TypeError(
        `found an entry out of order in the output of qemu-img map: ${JSON.stringify(entry)}`,
      );
    }
    const isHole = entry["data"] === false && entry["zero"] === true;
    appendExtent(extents, { offset: start, length, kind: isHole ? "zero" : "data" });
    expected = start + length;
  }
  return extents;
}
