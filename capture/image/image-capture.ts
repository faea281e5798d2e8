/** All disks of a restore point, opened at one moment. */

import type { Snapshot } from "@mainstay/vault";
import type { DiskSource } from "./disk-source.ts";
import type { ImageSource } from "./image-source.ts";
import { openMachineCapture } from "./machine-source.ts";
import { openQcow2Source } from "./qcow2-source.ts";
import { openRawSource } from "./raw-source.ts";

export type CapturedDisk = { readonly name: string; readonly source: ImageSource };

export type ImageCapture = AsyncDisposable & {
  readonly disks: readonly CapturedDisk[];
  /** Written into the restore point, so that the next capture finds what it needs there. */
  readonly tags: readonly string[];
  /** Called once the restore point is durable: changes are counted against it from then on. */
  settle(): Promise<void>;
};

export type CaptureOptions = {
  /** The restore point to build on, for captures that know what changed since. */
  readonly parent?: Snapshot | undefined;
  /** For temporary files; a running machine's old blocks are put aside there. */
  readonly workDirectory: string;
  readonly signal?: AbortSignal | undefined;
};

/** Errors: `capture.*`, `qemu.*`, `nbd.*`. */
export async function openCapture(
  disks: readonly DiskSource[],
  options: CaptureOptions,
): Promise<ImageCapture> {
  await using stack = new AsyncDisposableStack();
  const opened: CapturedDisk[] = [];
  const machines: ImageCapture[] = [];
  for (const disk of disks) {
    if (disk.kind === "qemu") continue;
    const source =
      disk.kind === "raw" ? await openRawSource(disk.path) : await openQcow2Source(disk.path, options);
    opened.push({ name: disk.name, source: stack.use(source) });
  }
  const running = disks.filter((disk) => disk.kind === "qemu");
  for (const [qmpSocket, ofMachine] of Map.groupBy(running, (disk) => disk.qmpSocket)) {
    const machine = stack.use(await openMachineCapture(qmpSocket, ofMachine, options));
    machines.push(machine);
    opened.push(...machine.disks);
  }
  const held = stack.move();
  return {
    disks: opened,
    tags: machines.flatMap((machine) => machine.tags),
    settle: async () => {
      for (const machine of machines) await machine.settle();
    },
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}
