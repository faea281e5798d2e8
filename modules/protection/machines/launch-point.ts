/** A restore point as a running machine: its disks served out of the repository, writes to an overlay, QEMU on top. */

import { mkdir, mkdtemp, rm, statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { MachineSettings, ProbeSpec } from "@mainstay/contract";
import {
  emptyTimeline,
  prepareDirectKernel,
  reach,
  type RecoveredDisk,
  runMachine,
  type RunMachineOptions,
  type RunMachineResult,
  type ServedPoint,
  servePoint,
  type Timeline,
} from "@mainstay/recovery";
import { findSnapshot, listImages, loadIndex, type Repository } from "@mainstay/vault";
import { protectionErrors } from "../errors.ts";
import { openLocalRepository } from "../repositories/local-repository.ts";
import { recoveryProbe } from "./probe-specs.ts";

export type LaunchRequest = {
  /** Of the QEMU process: letters, digits, dashes. */
  readonly name: string;
  readonly repositoryFolder: string;
  readonly repositoryPassword: string;
  readonly restorePointId: string;
  readonly machine: MachineSettings;
  readonly probes: readonly ProbeSpec[];
  readonly forwardPorts: readonly number[];
  /** `open`: a recovered machine does its old work. `closed`: a test must not meet the original's partners. */
  readonly network: "open" | "closed";
  /** For this machine alone; removed with it. */
  readonly folder: string;
  readonly onTimeline: (timeline: Timeline) => void;
  readonly onRunning: (live: LiveMachine) => void;
  readonly signal: AbortSignal;
};

type Machine = Parameters<NonNullable<RunMachineOptions["onMachine"]>>[0];

export type LiveMachine = {
  readonly machine: Machine;
  readonly vncSocket: string;
  counts(): { readonly writtenBytes: number; readonly readBytes: number };
};

/** The machine still runs until disposed; then what it wrote is gone. */
export type LaunchedPoint = AsyncDisposable & { readonly result: RunMachineResult };

/** A guest that writes its swap and logs needs room at once. */
const OVERLAY_FREE_BYTES_MIN = 512 * 1024 * 1024;

/**
 * Starts the machine and resolves when its probes are through; without probes, when it asks for a login. Rejects with
 * `vault.*`, `qemu.*`, `protection.no-space` or the signal's reason, and then nothing is left running.
 */
export async function launchPoint(request: LaunchRequest): Promise<LaunchedPoint> {
  const startMs = performance.now();
  await using stack = new AsyncDisposableStack();
  await makeFolder(request.folder);
  stack.defer(() => rm(request.folder, { recursive: true, force: true }));
  // Socket paths are at most 107 bytes long, and a data folder may lie deep.
  const sockets = await mkdtemp(path.join(tmpdir(), "mainstay-run-"));
  stack.defer(() => rm(sockets, { recursive: true, force: true }));
  const repository = stack.use(
    await openLocalRepository(request.repositoryFolder, request.repositoryPassword),
  );
  const served = await serveDisks(stack, request, repository, sockets);
  const [first] = served.disks;
  let timeline = reach(emptyTimeline, "located", served.locatedMs - startMs);
  timeline = reach(timeline, "served", performance.now() - startMs);
  request.onTimeline(timeline);
  const kernel =
    request.machine.start === "direct-kernel" && first?.overlay !== undefined
      ? await prepareDirectKernel(first.overlay, sockets)
      : undefined;
  const vncSocket = path.join(sockets, "vnc.sock");
  const result = await runMachine({
    name: request.name,
    memoryBytes: request.machine.memoryBytes,
    cpus: request.machine.processors,
    firmware: "bios",
    disks: served.disks.map(diskOf),
    ...(kernel?.state === "possible" ? { directKernel: kernel.directKernel } : {}),
    onFirstBlock: (listener) => void first?.firstRead.then(listener),
    probes: request.probes.map((probe) => recoveryProbe(probe, request.machine.patienceSeconds * 1000)),
    forwards: request.forwardPorts.map((guestPort) => ({ hostPort: 0, guestPort })),
    outbound: request.network === "open",
    vncSocket,
    runtimeDirectory: sockets,
    timeline,
    timelineStartMs: startMs,
    onTimeline: request.onTimeline,
    onMachine: (machine) => request.onRunning({ machine, vncSocket, counts: () => countsOf(served.disks) }),
    signal: request.signal,
  });
  stack.defer(() => result.machine.stop());
  const held = stack.move();
  return { result, [Symbol.asyncDispose]: () => held.disposeAsync() };
}

async function makeFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize < OVERLAY_FREE_BYTES_MIN)
    throw protectionErrors.error(
      "no-space",
      `Cannot run the machine: its writes need room, and "${folder}" has ${bavail * bsize} bytes left; make room first`,
      { values: { folder, freeBytes: bavail * bsize, wantedBytes: OVERLAY_FREE_BYTES_MIN } },
    );
}

async function serveDisks(
  stack: AsyncDisposableStack,
  request: LaunchRequest,
  repository: Repository,
  sockets: string,
): Promise<{ readonly disks: readonly ServedPoint[]; readonly locatedMs: number }> {
  const [snapshot] = await Promise.all([
    findSnapshot(repository, request.restorePointId),
    loadIndex(repository),
  ]);
  const images = await listImages(repository, snapshot, request.signal);
  const locatedMs = performance.now();
  const disks: ServedPoint[] = [];
  for (const [index, image] of images.entries()) {
    const served = await servePoint({
      repository,
      point: `${snapshot.id}:${image.name}`,
      socket: path.join(sockets, `disk${index}.sock`),
      overlay: path.join(request.folder, `disk${index}`),
      signal: request.signal,
    });
    disks.push(stack.use(served));
  }
  if (disks.length === 0)
    throw protectionErrors.error(
      "machine-failed",
      `Cannot run restore point ${snapshot.id.slice(0, 8)}: it holds files and no disks; choose one of disks`,
    );
  return { disks, locatedMs };
}

function diskOf(served: ServedPoint): RecoveredDisk {
  return { address: { path: served.socket }, exportName: "", bus: "virtio" };
}

function countsOf(disks: readonly ServedPoint[]): {
  readonly writtenBytes: number;
  readonly readBytes: number;
} {
  return {
    writtenBytes: disks.reduce((sum, disk) => sum + (disk.overlay?.writtenBytes ?? 0), 0),
    readBytes: disks.reduce((sum, disk) => sum + disk.reader.figures().blobBytes, 0),
  };
}
