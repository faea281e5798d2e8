/**
 * Starting a Linux machine without its firmware's boot loader: its own kernel and initial RAM disk, read out of its own
 * disk. Saves the seconds of GRUB. Wherever anything is not as expected, it says so and the machine boots by firmware.
 */

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { MIB } from "@mainstay/kit";
import type { BlockDevice } from "@mainstay/nbd";
import type { DirectKernel } from "@mainstay/qemu";
import { openExt4, type Ext4 } from "../ext4/file-system.ts";
import { readPartitions } from "../ext4/partitions.ts";
import { recoveryErrors } from "../errors.ts";
import { readGrubConfig, type BootEntry } from "./grub-config.ts";

const KERNEL_BYTES_MAX = 64 * MIB;
const INITRD_BYTES_MAX = 512 * MIB;
const CONFIG_BYTES_MAX = MIB;
/** Linux x86 boot protocol: "HdrS" at 0x202 of a bzImage. */
const KERNEL_MAGIC_OFFSET = 0x202;
const KERNEL_MAGIC = "HdrS";
/** How an initial RAM disk begins: gzip, zstd, xz, lz4, or cpio with early microcode. */
const INITRD_MAGICS = ["1f8b", "28b52ffd", "fd377a58", "02214c18", "30373037"];

export type PreparedKernel =
  | {
      readonly state: "possible";
      readonly directKernel: DirectKernel;
      /** The disk was in use when it was captured: its journal may hold a newer /boot than the one that was read. */
      readonly journalPending: boolean;
    }
  | { readonly state: "not-possible"; readonly reason: string };

/** Writes the kernel's files into `directory`. Rejects only when the disk cannot be read or the files not be written. */
export async function prepareDirectKernel(device: BlockDevice, directory: string): Promise<PreparedKernel> {
  try {
    return await findKernel(device, directory);
  } catch (cause) {
    if (recoveryErrors.is(cause, "filesystem-unreadable") || recoveryErrors.is(cause, "file-missing"))
      return notPossible(cause.message);
    throw cause;
  }
}

async function findKernel(device: BlockDevice, directory: string): Promise<PreparedKernel> {
  const places = [...(await readPartitions(device)), { number: 0, offset: 0, length: device.sizeBytes }];
  const reasons: string[] = [];
  for (const place of places) {
    const opened = await openExt4(device, place).catch((cause: unknown) => {
      if (!recoveryErrors.is(cause, "filesystem-unreadable")) throw cause;
      reasons.push(cause.message);
      return undefined;
    });
    const config = opened === undefined ? undefined : await configPath(opened);
    if (opened === undefined || config === undefined) continue;
    return prepareFrom(opened, config, directory);
  }
  return notPossible(reasons[0] ?? "no ext4 file system with a grub.cfg");
}

/** GRUB's folder in a root file system, or in one that is mounted at /boot. */
async function configPath(files: Ext4): Promise<string | undefined> {
  for (const path of ["/boot/grub/grub.cfg", "/boot/grub2/grub.cfg", "/grub/grub.cfg", "/grub2/grub.cfg"]) {
    if (await files.exists(path)) return path;
  }
  return undefined;
}

async function prepareFrom(files: Ext4, config: string, directory: string): Promise<PreparedKernel> {
  const environmentPath = config.replace(/grub\.cfg$/, "grubenv");
  const environment = (await files.exists(environmentPath)) ? await readText(files, environmentPath) : "";
  const read = readGrubConfig(await readText(files, config), environment);
  if (read.state === "unclear") return notPossible(read.reason);
  const names = (await files.list(config.startsWith("/boot") ? "/boot" : "/")).filter((name) =>
    name.startsWith("vmlinuz-"),
  );
  const newest = names.sort(compareVersions).at(-1);
  // A name without a version (a link) leads wherever the system's owner points it.
  const isVersioned = read.entry.kernel.includes("/vmlinuz-");
  if (newest !== undefined && isVersioned && !read.entry.kernel.endsWith(`/${newest}`)) {
    return notPossible(`GRUB starts ${read.entry.kernel}, but the newest kernel is ${newest}`);
  }
  return writeKernel(files, read.entry, directory);
}

async function writeKernel(files: Ext4, entry: BootEntry, directory: string): Promise<PreparedKernel> {
  const kernel = await files.readFile(entry.kernel, KERNEL_BYTES_MAX);
  const magic = Buffer.from(kernel.subarray(KERNEL_MAGIC_OFFSET, KERNEL_MAGIC_OFFSET + 4)).toString("latin1");
  if (magic !== KERNEL_MAGIC) return notPossible(`${entry.kernel} is no bzImage kernel`);
  const kernelPath = join(directory, "vmlinuz");
  await writeFile(kernelPath, kernel, { mode: 0o600 });
  const journalPending = files.superblock.needsRecovery;
  if (entry.initrd === undefined)
    return {
      state: "possible",
      directKernel: { kernel: kernelPath, commandLine: entry.commandLine },
      journalPending,
    };
  const initrd = await files.readFile(entry.initrd, INITRD_BYTES_MAX);
  const head = Buffer.from(initrd.subarray(0, 4)).toString("hex");
  if (!INITRD_MAGICS.some((known) => head.startsWith(known)))
    return notPossible(`${entry.initrd} is no initial RAM disk`);
  const initrdPath = join(directory, "initrd");
  await writeFile(initrdPath, initrd, { mode: 0o600 });
  return {
    state: "possible",
    directKernel: { kernel: kernelPath, initrd: initrdPath, commandLine: entry.commandLine },
    journalPending,
  };
}

async function readText(files: Ext4, path: string): Promise<string> {
  return Buffer.from(await files.readFile(path, CONFIG_BYTES_MAX)).toString("utf8");
}

/** `6.1.0-9` before `6.1.0-10`: runs of digits compare as numbers. */
function compareVersions(a: string, b: string): number {
  return a.localeCompare(b, "en", { numeric: true });
}

function notPossible(reason: string): PreparedKernel {
  return { state: "not-possible", reason };
}
