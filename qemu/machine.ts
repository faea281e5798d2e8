/** A running virtual machine: started, watched, photographed, ended. */

import { copyFile, mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { detectAccelerator, type Accelerator } from "./accelerator.ts";
import { commandLine, firmwareRing, ovmfVariables, type RunPaths } from "./command-line.ts";
import { connectSocket } from "./connect-socket.ts";
import { within, type Waiting } from "./deadline.ts";
import { qemuErrors } from "./errors.ts";
import { isConnectionEstablished, readForwards, type OpenForward } from "./forwards.ts";
import { guestAgentOver, type GuestAgent } from "./guest-agent.ts";
import { followGuestText, followRing, type GuestText } from "./guest-text.ts";
import { sendKeys, typeText } from "./keyboard.ts";
import { checkSpec, type MachineSpec } from "./machine-spec.ts";
import { readProcessUse, startProcess, type Exit, type MachineProcess, type ProcessUse } from "./process.ts";
import { connectQmp, type Qmp } from "./qmp.ts";
import { takeScreenshot } from "./screen-dump.ts";
import { createSnapshotFiles } from "./snapshot-file.ts";

const START_TIMEOUT_MS = 20_000;
const POWER_DOWN_TIMEOUT_MS = 60_000;
const QUIT_TIMEOUT_MS = 5_000;

export type Machine = {
  readonly name: string;
  readonly pid: number;
  readonly accelerator: Accelerator;
  readonly qmp: Qmp;
  readonly serial: GuestText;
  /** What the firmware says of its work (SeaBIOS; release builds of OVMF are silent). */
  readonly firmwareText: GuestText;
  /** With the ports of the host as they truly are. */
  readonly forwards: readonly OpenForward[];
  /** `undefined` where the machine was made without its channel; whether the guest answers, only `ping` tells. */
  readonly guestAgent: GuestAgent | undefined;
  /** When the processors began, on the clock of `performance.now()`. */
  readonly startedAtMs: number;
  screenshot(waiting?: Waiting): Promise<Uint8Array>;
  sendKeys(keys: readonly string[], signal?: AbortSignal): Promise<void>;
  typeText(text: string, signal?: AbortSignal): Promise<void>;
  /** Whether the guest itself has accepted the connection from this port of the host. */
  isConnectionEstablished(clientPort: number, waiting?: Waiting): Promise<boolean>;
  use(): Promise<ProcessUse>;
  /** Presses the power button; after `timeoutMs` (60 s) ends the machine. Resolves with how it went. */
  powerDown(waiting?: Waiting): Promise<"powered-down" | "forced">;
  /** Ends the machine at once, as a power cut does for the guest; the host's caches are written. May be called twice. */
  stop(): Promise<void>;
  /** Resolves when the process is gone, whatever the cause. */
  readonly exited: Promise<Exit>;
  [Symbol.asyncDispose](): Promise<void>;
};

export type StartOptions = { readonly signal?: AbortSignal; readonly accelerator?: Accelerator };

/** Starts the machine and lets it run. Who starts it stops it; the kernel does so should we die. */
export async function startMachine(spec: MachineSpec, options: StartOptions = {}): Promise<Machine> {
  checkSpec(spec);
  const accelerator = options.accelerator ?? (await detectAccelerator());
  const directory = await makeDirectory(spec);
  const removeDirectory = (): Promise<void> => rm(directory, { recursive: true, force: true });
  let child: MachineProcess | undefined;
  try {
    const paths = runPaths(directory);
    await prepareFiles(spec, paths);
    child = await startProcess("qemu-system-x86_64", commandLine(spec, accelerator.kind, paths), directory);
    const machine = await takeControl(spec, child, paths, accelerator, options.signal);
    void child.exited.then(removeDirectory).catch(() => {});
    return machine;
  } catch (cause) {
    await child?.kill();
    await removeDirectory();
    throw cause;
  }
}

async function makeDirectory(spec: MachineSpec): Promise<string> {
  const parent = spec.runtimeDirectory ?? tmpdir();
  await mkdir(parent, { recursive: true, mode: 0o700 });
  return mkdtemp(join(parent, "mainstay-vm-"));
}

function runPaths(directory: string): RunPaths {
  return {
    control: join(directory, "control"),
    serial: join(directory, "serial"),
    agent: join(directory, "agent"),
    firmwareVariables: join(directory, "variables.fd"),
    snapshot: (index) => join(directory, `disk${index}.qcow2`),
  };
}

async function prepareFiles(spec: MachineSpec, paths: RunPaths): Promise<void> {
  if (spec.snapshotBoot === true) await createSnapshotFiles(spec.disks, paths);
  if (spec.firmware !== "uefi") return;
  try {
    await copyFile(ovmfVariables, paths.firmwareVariables);
  } catch (cause) {
    const message = `Cannot start machine ${spec.name} with UEFI: ${ovmfVariables} is missing; run "apt-get install ovmf"`;
    throw qemuErrors.error("not-installed", message, { cause });
  }
}

async function takeControl(
  spec: MachineSpec,
  child: MachineProcess,
  paths: RunPaths,
  accelerator: Accelerator,
  signal: AbortSignal | undefined,
): Promise<Machine> {
  const giveUp = (): Error | undefined => startFailure(spec, child.exit());
  const connecting = { timeoutMs: START_TIMEOUT_MS, signal, giveUp };
  const qmp = await connectQmp(paths.control, connecting).catch(async (cause: unknown) => {
    // QEMU may have ended between accepting and greeting: its own last words say more than a closed socket.
    if (qemuErrors.is(cause, "closed"))
      throw startFailure(spec, await within("learn why it ended", child.exited, QUIT_TIMEOUT_MS)) ?? cause;
    throw cause;
  });
  const serial = followGuestText(await connectSocket(paths.serial, connecting), spec.serialLog);
  const firmwareText = followRing(qmp, firmwareRing);
  const guestAgent =
    spec.guestAgent === false ? undefined : guestAgentOver(await connectSocket(paths.agent, connecting));
  const forwards = await readForwards(qmp, spec.network, { signal });
  await qmp.execute("cont", {}, { signal });
  const startedAtMs = performance.now();
  const stop = (): Promise<void> => stopMachine(qmp, child);
  const directory = join(paths.control, "..");
  return {
    name: spec.name,
    pid: child.pid,
    accelerator,
    qmp,
    serial,
    firmwareText,
    forwards,
    guestAgent,
    startedAtMs,
    screenshot: (waiting) => takeScreenshot(qmp, directory, waiting),
    sendKeys: (keys, signal) => sendKeys(qmp, keys, signal),
    typeText: (text, signal) => typeText(qmp, text, signal),
    isConnectionEstablished: (clientPort, waiting) =>
      isConnectionEstablished(qmp, child.pid, clientPort, waiting),
    use: () => readProcessUse(child.pid),
    powerDown: (waiting) => powerDown(qmp, child, stop, waiting),
    stop,
    exited: child.exited,
    [Symbol.asyncDispose]: stop,
  };
}

function startFailure(spec: MachineSpec, exit: Exit | undefined): Error | undefined {
  if (exit === undefined) return undefined;
  const words =
    exit.lastWords === "" ? `QEMU ended with status ${exit.status ?? exit.signal}` : exit.lastWords;
  return qemuErrors.error("start-failed", `Cannot start machine ${spec.name}: ${words}`, {
    values: { ...exit },
  });
}

/** Asks QEMU to quit, so that it writes its caches; kills it if it does not. */
async function stopMachine(qmp: Qmp, child: MachineProcess): Promise<void> {
  if (child.exit() !== undefined) return;
  await qmp.execute("quit", {}, { timeoutMs: QUIT_TIMEOUT_MS }).catch(() => {});
  await within("quit", child.exited, QUIT_TIMEOUT_MS).catch(() => child.kill());
}

async function powerDown(
  qmp: Qmp,
  child: MachineProcess,
  stop: () => Promise<void>,
  waiting: Waiting = {},
): Promise<"powered-down" | "forced"> {
  if (child.exit() !== undefined) return "powered-down";
  try {
    await qmp.execute("system_powerdown", {}, { signal: waiting.signal });
    await within("power down", child.exited, waiting.timeoutMs ?? POWER_DOWN_TIMEOUT_MS, waiting.signal);
    return "powered-down";
  } catch (cause) {
    if (!qemuErrors.is(cause, "timed-out") && !qemuErrors.is(cause, "closed")) throw cause;
    await stop();
    return "forced";
  }
}

/** Folders of machines whose process is gone because we were killed; for a caller that tidies at its start. */
export async function leftoverDirectories(parent: string = tmpdir()): Promise<readonly string[]> {
  const names = await readdir(parent);
  return names.filter((name) => name.startsWith("mainstay-vm-")).map((name) => join(parent, name));
}
