/** Which accelerator machines get: KVM where it truly runs a guest, else translation (TCG), always with the reason. */

import { spawn } from "node:child_process";
import { access, constants, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { recallAccelerator, rememberAccelerator } from "./accelerator-memory.ts";
import { accelerationProbeFirmware, probeExitPort, probeExitStatus } from "./accelerator-probe.ts";
import { qemuErrors } from "./errors.ts";
import { dyingWithUs } from "./process.ts";

/** Real hardware ends the probe in about 0.15 s with the start of QEMU; a loaded host may need some times that. */
const PROBE_TIMEOUT_MS = 3_000;
const QEMU = "qemu-system-x86_64";

export type AcceleratorKind = "kvm" | "tcg";
export type Accelerator = {
  readonly kind: AcceleratorKind;
  /** Why, in words for a person. */
  readonly reason: string;
};

let detected: Promise<Accelerator> | undefined;

/** Finds out once per process, and by trial once per start of the machine. `MAINSTAY_ACCELERATOR=tcg|kvm` decides without a trial. Never rejects for want of KVM. */
export function detectAccelerator(): Promise<Accelerator> {
  const forced = process.env["MAINSTAY_ACCELERATOR"];
  if (forced !== undefined && forced !== "") return Promise.resolve(forcedAccelerator(forced));
  detected ??= tryKvm();
  return detected;
}

function forcedAccelerator(forced: string): Accelerator {
  if (forced === "kvm" || forced === "tcg") return { kind: forced, reason: `MAINSTAY_ACCELERATOR=${forced}` };
  throw qemuErrors.error(
    "spec-refused",
    `Cannot use accelerator: found MAINSTAY_ACCELERATOR="${forced}", wanted kvm or tcg`,
  );
}

async function tryKvm(): Promise<Accelerator> {
  try {
    await access("/dev/kvm", constants.R_OK | constants.W_OK);
  } catch {
    return { kind: "tcg", reason: "/dev/kvm is missing or not ours to open" };
  }
  const recalled = await recallAccelerator();
  if (recalled !== undefined) return recalled;
  const failure = await runProbe("kvm");
  const found: Accelerator =
    failure === undefined
      ? { kind: "kvm", reason: "a trial guest ran in 64-bit mode at full speed" }
      : { kind: "tcg", reason: `/dev/kvm is there, but ${failure}` };
  await rememberAccelerator(found);
  return found;
}

/** Runs the trial guest; `undefined` if it ended as it should, else what happened instead. */
export async function runProbe(
  kind: AcceleratorKind,
  timeoutMs = PROBE_TIMEOUT_MS,
): Promise<string | undefined> {
  const directory = await mkdtemp(join(tmpdir(), "mainstay-accelerator-"));
  try {
    const firmware = join(directory, "probe.rom");
    await writeFile(firmware, accelerationProbeFirmware());
    return await watchProbe(probeCommand(kind, firmware), timeoutMs);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function probeCommand(kind: AcceleratorKind, firmware: string): readonly string[] {
  const exitDevice = `isa-debug-exit,iobase=0x${probeExitPort.toString(16)},iosize=0x4`;
  return [
    "-accel",
    kind,
    "-machine",
    "pc",
    "-bios",
    firmware,
    "-m",
    "16",
    "-nodefaults",
    "-display",
    "none",
    "-device",
    exitDevice,
  ];
}

function watchProbe(args: readonly string[], timeoutMs: number): Promise<string | undefined> {
  const [program, ...rest] = dyingWithUs(QEMU, args);
  return new Promise((resolve) => {
    const child = spawn(program, rest, { stdio: ["ignore", "ignore", "pipe"] });
    let words = "";
    const timer = setTimeout(() => {
      resolve(`a trial guest did not get through 64-bit mode within ${timeoutMs / 1000} s`);
      child.kill("SIGKILL");
    }, timeoutMs);
    child.stderr.on("data", (bytes: Buffer) => (words = (words + bytes.toString()).slice(-500)));
    child.once("error", (cause) => resolve(`the trial could not start: ${cause.message}`));
    child.once("close", (status) => {
      clearTimeout(timer);
      resolve(
        status === probeExitStatus
          ? undefined
          : `a trial guest failed: ${words.trim() || `QEMU ended with status ${status}`}`,
      );
    });
  });
}
