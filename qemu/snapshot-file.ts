/** Files that take a machine's writes when its disks must stay as they are. */

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { MIB, systemCodeOf } from "@mainstay/kit";
import { blockDriver, type RunPaths } from "./command-line.ts";
import { qemuErrors } from "./errors.ts";
import { asNumber, asRecord } from "./json-shape.ts";
import type { DiskSource, MachineDisk } from "./machine-spec.ts";

const TOOL_TIMEOUT_MS = 30_000;
const OUTPUT_BYTES_MAX = 4 * MIB;
const run = promisify(execFile);

export async function createSnapshotFiles(disks: readonly MachineDisk[], paths: RunPaths): Promise<void> {
  for (const [index, disk] of disks.entries()) {
    const sizeBytes = await virtualSize(disk.source);
    await qemuImg(["create", "-q", "-f", "qcow2", paths.snapshot(index), String(sizeBytes)]);
  }
}

/** The size a guest sees, in bytes. */
export async function virtualSize(source: DiskSource): Promise<number> {
  const output = await qemuImg([
    "info",
    "--force-share",
    "--output=json",
    `json:${JSON.stringify(blockDriver(source))}`,
  ]);
  return asNumber(asRecord(JSON.parse(output), "qemu-img's answer")["virtual-size"], "the disk's size");
}

async function qemuImg(args: readonly string[]): Promise<string> {
  try {
    const { stdout } = await run("qemu-img", [...args], {
      timeout: TOOL_TIMEOUT_MS,
      maxBuffer: OUTPUT_BYTES_MAX,
    });
    return stdout;
  } catch (cause) {
    if (systemCodeOf(cause) === "ENOENT")
      throw qemuErrors.error(
        "not-installed",
        'Cannot run qemu-img: it is not installed; run "apt-get install qemu-utils"',
        { cause },
      );
    throw qemuErrors.error("start-failed", `Cannot prepare the machine's disks: qemu-img ${args[0]} failed`, {
      cause,
    });
  }
}
