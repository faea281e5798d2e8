/** Recovery of a machine: its disks served straight out of the repository, the machine run on them, proved and timed. */

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Machine } from "@mainstay/qemu";
import {
  findSnapshot,
  listImages,
  loadIndex,
  openImage,
  type Repository,
  type Snapshot,
} from "@mainstay/vault";
import { prepareDirectKernel } from "../machine/direct-kernel.ts";
import { runMachine, type RunMachineOptions, type RunMachineResult } from "../machine/run-machine.ts";
import type { ProbeSpec } from "../probes/probe-spec.ts";
import { serveDisk, type ServedDisk } from "../serve/serve-point.ts";
import { emptyTimeline, reach, type Timeline } from "../timeline/timeline.ts";

export type RecoveryOptions = {
  readonly repository: Repository;
  /** Restore point of disk images: an id, its beginning, or `latest`. */
  readonly point: string;
  /** The machine's name; letters, digits, dots, dashes. */
  readonly name: string;
  readonly memoryBytes: number;
  readonly cpus: number;
  readonly firmware?: RunMachineOptions["firmware"] | undefined;
  readonly bus?: RunMachineOptions["disks"][number]["bus"] | undefined;
  /** A private folder for sockets and writes. Writes of an earlier recovery of the same point in it are continued. */
  readonly workDirectory: string;
  /** Folder that keeps the order in which each disk was read; by default none is kept. */
  readonly bootTraces?: string | undefined;
  readonly probes: readonly ProbeSpec[];
  readonly forwards?: RunMachineOptions["forwards"] | undefined;
  /** `true`: the machine may reach out. */
  readonly outbound?: boolean | undefined;
  /** Starts the kernel of the disk itself where the disk allows it; quicker than its boot loader. */
  readonly directKernel?: boolean | undefined;
  readonly vncSocket?: string | undefined;
  readonly serialLog?: string | undefined;
  /** When the recovery was asked for, on the clock of `performance.now()`; by default now. */
  readonly startMs?: number | undefined;
  readonly onTimeline?: ((timeline: Timeline) => void) | undefined;
  readonly onMachine?: ((machine: Machine) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
};

/** Disposing of it stops the machine and the serving; the writes stay in the work directory. */
export type Recovery = AsyncDisposable & {
  readonly snapshot: Snapshot;
  readonly disks: readonly ServedDisk[];
  readonly result: RunMachineResult;
  /** Why the machine started by its boot loader although its own kernel was wanted. */
  readonly directKernelNote?: string | undefined;
};

/**
 * Resolves when the probes are through, passed or failed; the machine then runs on. The index need not be loaded.
 *
 * Errors: `vault.*`, `overlay.*`, `qemu.*`, `recovery.*`; the signal's reason, with nothing left running.
 */
export async function runRecovery(options: RecoveryOptions): Promise<Recovery> {
  const { repository, signal } = options;
  const startMs = options.startMs ?? performance.now();
  await using stack = new AsyncDisposableStack();
  const [snapshot] = await Promise.all([
    findSnapshot(repository, options.point, signal),
    loadIndex(repository, signal),
  ]);
  let timeline = reach(emptyTimeline, "located", performance.now() - startMs);
  options.onTimeline?.(timeline);
  await mkdir(options.workDirectory, { recursive: true, mode: 0o700 });
  const disks = await serveDisks(options, snapshot, stack);
  timeline = reach(timeline, "served", performance.now() - startMs);
  options.onTimeline?.(timeline);
  const prepared = await prepareKernel(options, disks);
  const result = await runMachine({
    name: options.name,
    memoryBytes: options.memoryBytes,
    cpus: options.cpus,
    firmware: options.firmware ?? "bios",
    disks: disks.map(({ socket }) => ({
      address: { path: socket },
      exportName: "",
      bus: options.bus ?? "virtio",
    })),
    onFirstBlock: (listener) => void Promise.race(disks.map((disk) => disk.firstRead)).then(listener),
    directKernel: prepared?.state === "possible" ? prepared.directKernel : undefined,
    probes: options.probes,
    outbound: options.outbound ?? false,
    timeline,
    timelineStartMs: startMs,
    ...present(options, ["forwards", "vncSocket", "serialLog", "onTimeline", "onMachine", "signal"]),
  });
  stack.defer(() => result.machine.stop());
  const held = stack.move();
  return {
    snapshot,
    disks,
    result,
    directKernelNote: prepared?.state === "not-possible" ? prepared.reason : undefined,
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}

async function serveDisks(
  options: RecoveryOptions,
  snapshot: Snapshot,
  stack: AsyncDisposableStack,
): Promise<readonly ServedDisk[]> {
  const { repository, workDirectory, bootTraces, signal } = options;
  const images = await listImages(repository, snapshot, signal);
  // Says what the restore point holds instead.
  if (images.length === 0) await openImage(repository, snapshot, undefined, signal);
  const disks: ServedDisk[] = [];
  for (const { name } of images) {
    const served = await serveDisk({
      repository,
      snapshot,
      path: name,
      socket: join(workDirectory, `${name}.sock`),
      overlay: join(workDirectory, `${name}.writes`),
      bootTrace:
        bootTraces === undefined
          ? undefined
          : join(bootTraces, `${repository.config.id.slice(0, 16)}-${name}.json`),
      signal,
    });
    disks.push(stack.use(served));
  }
  return disks;
}

async function prepareKernel(options: RecoveryOptions, disks: readonly ServedDisk[]) {
  const [first] = disks;
  if (options.directKernel !== true || first === undefined) return undefined;
  return prepareDirectKernel(first.device, options.workDirectory);
}

/** The named options that are given: the machine's own type has no place for `undefined`. */
function present<Options extends object, Key extends keyof Options>(
  options: Options,
  keys: readonly Key[],
): { [Name in Key]?: Exclude<Options[Name], undefined> } {
  const given = keys.filter((key) => options[key] !== undefined).map((key) => [key, options[key]]);
  // Only keys of `Key` with a value are in the list.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return Object.fromEntries(given) as { [Name in Key]?: Exclude<Options[Name], undefined> };
}
