/** Random operations on a device beside a plain model of it: the contract suite of every {@link BlockDevice}. */

import { AssertionError } from "@mainstay/kit";

import type { BlockDevice } from "./block-device.ts";

/** Numbers in [0, 1) that depend on the seed alone. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What a writable device must contain; as large as the device, so keep it small. */
export type DeviceModel = { readonly bytes: Buffer; readonly random: () => number };

const LANES = 6;
const OPERATION_BYTES_MAX = 150_000;

export function newModel(bytes: Buffer, seed: number): DeviceModel {
  return { bytes, random: seededRandom(seed) };
}

/**
 * Does `rounds` rounds of operations, several at once on ranges that do not overlap, and compares every byte read.
 * Throws with the first difference. The model must begin equal to the device.
 */
export async function exerciseDevice(device: BlockDevice, model: DeviceModel, rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round += 1) {
    const cuts = Array.from({ length: LANES - 1 }, () => Math.floor(model.random() * device.sizeBytes));
    const borders = [0, ...cuts.sort((left, right) => left - right), device.sizeBytes];
    const lanes = borders.slice(1).map((end, index) => ({ start: borders[index] ?? 0, end }));
    await Promise.all(lanes.map(({ start, end }) => operate(device, model, start, end)));
    if (model.random() < 0.1) await device.flush();
  }
  await compareDevice(device, model);
}

/** Compares the whole device with the model, and its extents with its bytes. */
export async function compareDevice(device: BlockDevice, model: DeviceModel): Promise<void> {
  const step = 1024 * 1024;
  for (let at = 0; at < device.sizeBytes; at += step) {
    const length = Math.min(step, device.sizeBytes - at);
    expectEqual(model, at, await device.read(at, length));
  }
  await checkExtents(device, model, 0, device.sizeBytes);
}

async function operate(device: BlockDevice, model: DeviceModel, start: number, end: number): Promise<void> {
  const { random } = model;
  if (end === start) return;
  const offset = roughlyAligned(start + Math.floor(random() * (end - start)), start, random);
  const longest = Math.min(end - offset, random() < 0.5 ? 5000 : OPERATION_BYTES_MAX);
  const length = Math.max(1, Math.floor(random() * longest));
  const choice = random();
  if (choice < 0.35) expectEqual(model, offset, await device.read(offset, length));
  else if (choice < 0.65) await writeSome(device, model, offset, length);
  else if (choice < 0.8) {
    model.bytes.fill(0, offset, offset + length);
    await device.writeZeroes(offset, length);
  } else if (choice < 0.9) await trimSome(device, model, offset, length);
  else await checkExtents(device, model, offset, length);
}

/** Half of the time on a border of 4 KiB, where most mistakes are. */
function roughlyAligned(offset: number, start: number, random: () => number): number {
  const aligned = offset - (offset % 4096);
  return random() < 0.5 && aligned >= start ? aligned : offset;
}

async function writeSome(
  device: BlockDevice,
  model: DeviceModel,
  offset: number,
  length: number,
): Promise<void> {
  const value = 1 + Math.floor(model.random() * 255);
  const bytes = Buffer.alloc(length, Buffer.from([value, value ^ 0x5a, offset & 0xff]));
  bytes.copy(model.bytes, offset);
  await device.write(offset, bytes);
}

/** After a trim every byte is as it was, or zero; which it is, the model learns. */
async function trimSome(
  device: BlockDevice,
  model: DeviceModel,
  offset: number,
  length: number,
): Promise<void> {
  if (device.trim === undefined) return;
  await device.trim(offset, length);
  const found = await device.read(offset, length);
  for (const [index, value] of found.entries()) {
    if (value !== 0 && value !== model.bytes[offset + index]) {
      throw new AssertionError(`byte ${offset + index} is ${value} after a trim, wanted the old one or zero`);
    }
    model.bytes[offset + index] = value;
  }
}

async function checkExtents(
  device: BlockDevice,
  model: DeviceModel,
  offset: number,
  length: number,
): Promise<void> {
  let at = offset;
  for (const extent of await device.extents(offset, length)) {
    if (extent.offset !== at || extent.length <= 0) throw new AssertionError(`extents have a gap at ${at}`);
    at += extent.length;
    const isZero = extent.kind === "zero";
    if (isZero && model.bytes.subarray(extent.offset, at).some((value) => value !== 0)) {
      throw new AssertionError(`extent at ${extent.offset} is said to be zero and is not`);
    }
  }
  if (at !== offset + length) throw new AssertionError(`extents end at ${at}, wanted ${offset + length}`);
}

function expectEqual(model: DeviceModel, offset: number, found: Uint8Array): void {
  const wanted = model.bytes.subarray(offset, offset + found.length);
  if (wanted.equals(found)) return;
  const index = found.findIndex((value, position) => value !== wanted[position]);
  throw new AssertionError(`byte ${offset + index} is ${found[index]}, wanted ${wanted[index]}`);
}
