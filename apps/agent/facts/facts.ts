/** What the agent sees of its machine: enough to name it, size it and offer its disks. */

import { readdir, readFile } from "node:fs/promises";
import { arch, cpus, hostname, networkInterfaces, platform, release, totalmem } from "node:os";
import path from "node:path";
import type { DeviceFacts } from "@mainstay/contract";

/** Names of block devices that are no disks. */
const NO_DISK = /^(loop|ram|zram|dm-|sr|fd|nbd|md)\d*/;
const SECTOR_BYTES = 512;
const DISKS_MAX = 64;

/** The facts now. Never fails: what cannot be read is left out. */
export async function readFacts(root = "/"): Promise<DeviceFacts> {
  const system = await readOperatingSystem(path.join(root, "etc/os-release"));
  return {
    hostName: hostname().slice(0, 255),
    operatingSystem: (system ?? `${platform()} ${release()}`).slice(0, 200),
    architecture: arch(),
    processors: cpus().length,
    memoryBytes: totalmem(),
    disks: await readDisks(path.join(root, "sys/block")),
    addresses: readAddresses(),
  };
}

/** `PRETTY_NAME` of the os-release file (os-release(5)). */
export function parseOsRelease(text: string): string | undefined {
  const value = /^PRETTY_NAME=(.*)$/m.exec(text)?.[1]?.trim();
  if (value === undefined) return undefined;
  return value.replace(/^(["'])(.*)\1$/, "$2") || undefined;
}

async function readOperatingSystem(file: string): Promise<string | undefined> {
  return parseOsRelease(await readText(file));
}

async function readDisks(folder: string): Promise<NonNullable<DeviceFacts["disks"]>> {
  const names = await readdir(folder).catch(() => []);
  const disks = await Promise.all(
    names
      .filter((name) => !NO_DISK.test(name))
      .slice(0, DISKS_MAX)
      .map(async (name) => {
        const sectors = Number(await readText(path.join(folder, name, "size")));
        const model = (await readText(path.join(folder, name, "device/model"))).trim().slice(0, 200);
        return {
          path: `/dev/${name}`,
          sizeBytes: sectors * SECTOR_BYTES,
          ...(model === "" ? {} : { model }),
        };
      }),
  );
  return disks.filter((disk) => Number.isSafeInteger(disk.sizeBytes) && disk.sizeBytes > 0);
}

function readAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter((one) => !one.internal)
    .map((one) => one.address.slice(0, 64))
    .slice(0, 64);
}

async function readText(file: string): Promise<string> {
  return await readFile(file, "utf8").catch(() => "");
}
