/** A restore point as a running machine: its disks served out of the repository, writes to an overlay, QEMU on top. */

import { mkdir, mkdtemp, rm, statfs, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { MachineSettings, ProbeSpec } from "@mainstay/contract";
import {
  type Recovery,
  type RecoveryOptions,
  runRecovery,
  type RunMachineResult,
  type Timeline,
} from "@mainstay/recovery";
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
  /** Keeps the order in which each disk is read while booting, for the next time. */
  readonly bootTraces: string;
  readonly onTimeline: (timeline: Timeline) => void;
  readonly onRunning: (live: LiveMachine) => void;
  readonly signal: AbortSignal;
};

type Machine = Parameters<NonNullable<RecoveryOptions["onMachine"]>>[0];

export type LiveMachine = {
  readonly machine: Machine;
  readonly vncSocket: string;
  /** `null` until the machine has come up. */
  counts(): MachineCounts | null;
};

export type MachineCounts = { readonly writtenBytes: number; readonly readBytes: number };

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
  // Socket paths are at most 107 bytes long and a data folder may lie deep; so the folder gets a short name beside.
  const short = await mkdtemp(path.join(tmpdir(), "mainstay-run-"));
  stack.defer(() => rm(short, { recursive: true, force: true }));
  await symlink(path.resolve(request.folder), path.join(short, "w"));
  const repository = stack.use(
    await openLocalRepository(request.repositoryFolder, request.repositoryPassword),
  );
  const vncSocket = path.join(short, "vnc.sock");
  let recovery: Recovery | undefined;
  const { machine, probes, signal, onTimeline } = request;
  recovery = await runRecovery({
    repository,
    point: request.restorePointId,
    name: request.name,
    memoryBytes: machine.memoryBytes,
    cpus: machine.processors,
    directKernel: machine.start === "direct-kernel",
    workDirectory: path.join(short, "w"),
    bootTraces: request.bootTraces,
    probes: probes.map((probe) => recoveryProbe(probe, machine.patienceSeconds * 1000)),
    forwards: request.forwardPorts.map((guestPort) => ({ hostPort: 0, guestPort })),
    outbound: request.network === "open",
    vncSocket,
    startMs,
    onTimeline,
    onMachine: (running) =>
      request.onRunning({ machine: running, vncSocket, counts: () => countsOf(recovery) }),
    signal,
  });
  stack.use(recovery);
  const { result } = recovery;
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

function countsOf(recovery: Recovery | undefined): MachineCounts | null {
  if (recovery === undefined) return null;
  return {
    writtenBytes: recovery.disks.reduce((sum, disk) => sum + (disk.overlay?.writtenBytes ?? 0), 0),
    readBytes: recovery.disks.reduce((sum, disk) => sum + disk.reader.figures().blobBytes, 0),
  };
}
