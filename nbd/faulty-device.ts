/** The faulty twin of any device: it fails, or is slow, exactly when told. */

import { setTimeout as sleep } from "node:timers/promises";

import type { BlockDevice } from "./block-device.ts";

export type DeviceOperation = "read" | "extents" | "write" | "writeZeroes" | "trim" | "flush";

export type Fault = {
  readonly operation: DeviceOperation;
  /** Only calls that touch this range; absent: all. */
  readonly range?: { readonly offset: number; readonly length: number };
  /** Only the nth matching call from now on, counted from 1; absent: every one. */
  readonly nth?: number;
  /** Waits before it fails or goes on. */
  readonly delayMs?: number;
  /** What it fails with; absent: it is only slow. A system code such as "EIO" or "ENOSPC". */
  readonly code?: string;
};

export type FaultyDevice = BlockDevice & {
  /** Adds a fault. */
  inject(fault: Fault): void;
  /** All is well again. */
  heal(): void;
  /** How many calls there were of an operation. */
  calls(operation: DeviceOperation): number;
};

type Armed = { readonly fault: Fault; matches: number };

export function faultyDevice(inner: BlockDevice): FaultyDevice {
  let armed: Armed[] = [];
  const counts = new Map<DeviceOperation, number>();
  const meet = async (operation: DeviceOperation, offset: number, length: number): Promise<void> => {
    counts.set(operation, (counts.get(operation) ?? 0) + 1);
    for (const entry of armed) {
      if (!concerns(entry.fault, operation, offset, length)) continue;
      entry.matches += 1;
      if (entry.fault.nth !== undefined && entry.fault.nth !== entry.matches) continue;
      if (entry.fault.delayMs !== undefined) await sleep(entry.fault.delayMs);
      const { code } = entry.fault;
      if (code !== undefined)
        throw Object.assign(new Error(`${code}: injected, ${operation} at ${offset}`), { code });
    }
  };
  return {
    sizeBytes: inner.sizeBytes,
    writable: inner.writable,
    zeroesAreFast: inner.zeroesAreFast ?? false,
    read: (offset, length, signal) =>
      meet("read", offset, length).then(() => inner.read(offset, length, signal)),
    extents: (offset, length) => meet("extents", offset, length).then(() => inner.extents(offset, length)),
    write: (offset, bytes) => meet("write", offset, bytes.length).then(() => inner.write(offset, bytes)),
    writeZeroes: (offset, length) =>
      meet("writeZeroes", offset, length).then(() => inner.writeZeroes(offset, length)),
    trim: (offset, length) => meet("trim", offset, length).then(() => inner.trim?.(offset, length)),
    flush: () => meet("flush", 0, 0).then(() => inner.flush()),
    close: () => inner.close(),
    inject: (fault) => {
      armed.push({ fault, matches: 0 });
    },
    heal: () => {
      armed = [];
    },
    calls: (operation) => counts.get(operation) ?? 0,
  };
}

function concerns(fault: Fault, operation: DeviceOperation, offset: number, length: number): boolean {
  if (fault.operation !== operation) return false;
  if (fault.range === undefined) return true;
  return offset < fault.range.offset + fault.range.length && offset + length > fault.range.offset;
}
