/** What the sample server is made of: every value that decides its bytes, and the name of that in the cache. */

import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { GIB } from "@mainstay/kit";
import { RELEASE } from "./package-sources.ts";
import { SECTOR_BYTES, SECTORS_MAX } from "./partition-table.ts";
import { sampleErrors } from "./errors.ts";

export type SampleVariant = "full" | "small";

export type Recipe = {
  readonly variant: SampleVariant;
  readonly sizeBytes: number;
  readonly pgbenchScale: number;
  readonly orderRows: number;
};

/** Rows: `full` holds about 1 GB of database beside Debian; `small` just enough to be asked something. */
const VARIANTS = {
  full: { sizeBytes: 70 * GIB, pgbenchScale: 20, orderRows: 1_500_000 },
  small: { sizeBytes: 3 * GIB, pgbenchScale: 2, orderRows: 20_000 },
} as const;

/** Sample only: printed in documents and committed here, so it protects nothing and must never be used elsewhere. */
export const SAMPLE_CREDENTIALS = {
  user: "shop",
  password: "sample-only-shop",
  database: "shop",
  rootPassword: "sample-only-root",
} as const;

export const HOST_NAME = "srv-sql1";

/** Fixed, so that the menu and a direct start name the root file system alike, and two builds differ little. */
export const ROOT_UUID = "5a3d1f0e-0000-4000-8000-000000000001";
export const DISK_SIGNATURE = 0x5a3d1f0e;
export const PARTITION_START_SECTOR = 2048;

/** Enough for Debian and years of a sample's life, at any disk size: the tables of 700 GB would else take minutes to lay out. */
export const INODES = 262_144;
export const JOURNAL_MIB = 64;

/**
 * Writable from the start, since nothing remounts it later. The kernel's work-arounds for faults of real processors cost
 * seconds under emulation and guard nothing in a sample.
 */
export const KERNEL_COMMAND_LINE = [
  `root=UUID=${ROOT_UUID}`,
  "rw",
  "rootflags=noatime",
  "console=tty0",
  "console=ttyS0,115200",
  "mitigations=off",
  "audit=0",
].join(" ");

/** Beside Debian's essential packages. Both kernels: the one for virtual machines is light, the other knows all hardware. */
export const GUEST_PACKAGES = [
  "dbus",
  "grub-common",
  "grub-pc-bin",
  "iproute2",
  "iputils-ping",
  "less",
  "linux-image-amd64",
  "linux-image-cloud-amd64",
  "kmod",
  "postgresql-15",
  "procps",
  "qemu-guest-agent",
  "systemd-sysv",
  "tiny-initramfs",
  "udev",
] as const;

/** Left out of every package, as a server without a reader of manuals would. */
export const EXCLUDED_PATHS = [
  "/usr/share/man/*",
  "/usr/share/locale/*",
  "/usr/share/doc/*",
  "/usr/share/info/*",
] as const;

export const OVERLAY_FOLDER = path.join(import.meta.dirname, "overlay");
export const STEPS_FOLDER = path.join(import.meta.dirname, "steps");

/** Debian, both kernels and the database take 1.3 GB of `small`, 2.3 GB of `full`; less than this leaves no room to work in. */
const SIZE_BYTES_MIN: Readonly<Record<SampleVariant, number>> = { full: 4 * GIB, small: 2 * GIB };

/** Rejects (`samples.size-unusable`) sizes that the image cannot have. */
export function recipeOf(variant: SampleVariant, sizeBytes: number = VARIANTS[variant].sizeBytes): Recipe {
  const sizeBytesMin = SIZE_BYTES_MIN[variant];
  const sizeBytesMax = SECTORS_MAX * SECTOR_BYTES;
  if (sizeBytes % 4096 === 0 && sizeBytes >= sizeBytesMin && sizeBytes <= sizeBytesMax) {
    return { ...VARIANTS[variant], variant, sizeBytes };
  }
  throw sampleErrors.error(
    "size-unusable",
    `Cannot build the ${variant} sample server: found a disk size of ${sizeBytes} bytes, wanted a multiple of 4096 from ` +
      `${sizeBytesMin} to ${sizeBytesMax}; give another size`,
    { values: { sizeBytes, sizeBytesMin, sizeBytesMax } },
  );
}

/** The cache's name for the installed packages, which all variants and sizes share. */
export function packagesKey(): string {
  return `packages-${digest([RELEASE, GUEST_PACKAGES, EXCLUDED_PATHS])}`;
}

/** The cache's name for the finished disk: another as soon as anything that goes into it is another. */
export async function diskKey(recipe: Recipe): Promise<string> {
  const ours = [
    SAMPLE_CREDENTIALS,
    KERNEL_COMMAND_LINE,
    ROOT_UUID,
    DISK_SIGNATURE,
    PARTITION_START_SECTOR,
    INODES,
    JOURNAL_MIB,
  ];
  const sources = await readTree(
    import.meta.dirname,
    (name) => name.endsWith(".ts") && !name.endsWith(".test.ts"),
  );
  const files = [...(await readTree(OVERLAY_FOLDER)), ...(await readTree(STEPS_FOLDER))];
  return `disk-${recipe.variant}-${digest([packagesKey(), recipe, ours, files, sources])}`;
}

type File = readonly [name: string, content: string];

async function readTree(
  folder: string,
  wanted: (name: string) => boolean = () => true,
): Promise<readonly File[]> {
  const recursive = folder !== import.meta.dirname;
  const entries = await readdir(folder, { recursive, withFileTypes: true });
  const names = entries
    .filter((entry) => entry.isFile() && wanted(entry.name))
    .map((entry) => path.join(entry.parentPath, entry.name))
    .toSorted();
  return Promise.all(
    names.map(async (name) => [path.relative(folder, name), await readFile(name, "utf8")] as const),
  );
}

function digest(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("hex").slice(0, 16);
}
