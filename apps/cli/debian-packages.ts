/** The programs Mainstay runs, the Debian package of each, and how a missing one gets here. */

import { execFile, spawn } from "node:child_process";
import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { cliErrors } from "./errors.ts";
import type { Terminal } from "./terminal/terminal.ts";

/**
 * The one list. A program not in it may not be relied on. A file that a package brings beside programs stands by its path.
 * The libraries name what each of them runs; a test holds this list to theirs.
 */
export const DEBIAN_PACKAGE_OF = {
  "qemu-system-x86_64": "qemu-system-x86",
  "qemu-img": "qemu-utils",
  "qemu-nbd": "qemu-utils",
  "qemu-io": "qemu-utils",
  "qemu-storage-daemon": "qemu-system-common",
  "qemu-ga": "qemu-guest-agent",
  "/usr/share/OVMF/OVMF_CODE_4M.fd": "ovmf",
  nbdcopy: "libnbd-bin",
  nbdinfo: "libnbd-bin",
  nbdkit: "nbdkit",
  fio: "fio",
  mmdebstrap: "mmdebstrap",
  "/usr/share/keyrings/debian-archive-keyring.gpg": "debian-archive-keyring",
  zstd: "zstd",
  xz: "xz-utils",
  tar: "tar",
  cp: "coreutils",
  "mkfs.ext4": "e2fsprogs",
  mke2fs: "e2fsprogs",
  debugfs: "e2fsprogs",
  sfdisk: "fdisk",
  restic: "restic",
  tesseract: "tesseract-ocr",
  chromium: "chromium",
  fusermount3: "fuse3",
  pdftotext: "poppler-utils",
  setpriv: "util-linux",
  unshare: "util-linux",
  setfattr: "attr",
  getfattr: "attr",
  mariadbd: "mariadb-server-core",
  my_print_defaults: "mariadb-client-core",
  openssl: "openssl",
} as const satisfies Readonly<Record<string, string>>;

export type Program = keyof typeof DEBIAN_PACKAGE_OF;

/** What the tests and benches run beside Mainstay itself: the oracles and the tools that build the sample machine. */
export const PROGRAMS_OF_TESTS = Object.keys(DEBIAN_PACKAGE_OF).filter(isProgram);

/** Debian keeps these outside a plain user's PATH. */
const SYSTEM_DIRECTORIES = ["/usr/local/sbin", "/usr/sbin", "/sbin"];
const INSTALL_TIMEOUT_MS = 30 * 60_000;

/** Resolves when every program is there; installs what is missing if this user may, else says the exact line to run. */
export async function ensurePrograms(
  programs: readonly Program[],
  terminal: Terminal,
  signal: AbortSignal,
): Promise<void> {
  const missing = await missingPrograms(programs);
  if (missing.length === 0) return;
  const packages = packagesOf(missing);
  const apt = await aptCommand();
  if (apt === undefined) throw missingPackages(missing, packages);
  terminal.note(`Installing Debian packages: ${packages.join(" ")}`);
  await install(apt, packages, signal);
  const stillMissing = await missingPrograms(programs);
  if (stillMissing.length > 0) throw missingPackages(stillMissing, packagesOf(stillMissing));
}

export async function missingPrograms(
  programs: readonly Program[],
  path: string = process.env["PATH"] ?? "",
): Promise<readonly Program[]> {
  const directories = [...path.split(delimiter), ...SYSTEM_DIRECTORIES].filter(
    (directory) => directory !== "",
  );
  const found = await Promise.all(programs.map((program) => isIn(directories, program)));
  return programs.filter((_, index) => found[index] !== true);
}

export function packagesOf(programs: readonly Program[]): readonly string[] {
  return [...new Set(programs.map((program) => DEBIAN_PACKAGE_OF[program]))].sort();
}

function isProgram(name: string): name is Program {
  return name in DEBIAN_PACKAGE_OF;
}

async function isIn(directories: readonly string[], program: Program): Promise<boolean> {
  if (program.startsWith("/")) return isReadable(program);
  for (const directory of directories) if (await isExecutable(join(directory, program))) return true;
  return false;
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

async function isReadable(path: string): Promise<boolean> {
  return access(path, constants.R_OK).then(
    () => true,
    () => false,
  );
}

/** The words before `install`, when this user may run them without being asked anything. */
async function aptCommand(): Promise<readonly string[] | undefined> {
  if (!(await isExecutable("/usr/bin/apt-get"))) return undefined;
  if (process.getuid?.() === 0) return ["/usr/bin/apt-get"];
  const maySudo = await promisify(execFile)("sudo", ["-n", "true"]).then(
    () => true,
    () => false,
  );
  return maySudo ? ["sudo", "-n", "/usr/bin/apt-get"] : undefined;
}

async function install(
  apt: readonly string[],
  packages: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const options = ["-qq", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300"];
  const first = await runApt(apt, [...options, "install", ...packages], signal);
  if (first.status === 0) return;
  // The package lists of a fresh machine or image are absent or old.
  await runApt(apt, ["-qq", "update"], signal);
  const second = await runApt(apt, [...options, "install", ...packages], signal);
  if (second.status === 0) return;
  throw cliErrors.error(
    "missing-packages",
    `Cannot install ${packages.join(" ")}: apt-get ended with status ${second.status}: ${second.lastLines}; ` +
      `run "${installLine(packages)}" to see why`,
    { values: { packages } },
  );
}

type AptResult = { readonly status: number; readonly lastLines: string };

async function runApt(
  apt: readonly string[],
  words: readonly string[],
  signal: AbortSignal,
): Promise<AptResult> {
  const [program = "", ...prefix] = apt;
  const environment = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const child = spawn(program, [...prefix, ...words], {
    stdio: ["ignore", "ignore", "pipe"],
    env: environment,
    signal,
    timeout: INSTALL_TIMEOUT_MS,
  });
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors = (errors + text).slice(-2000);
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status) => resolve({ status: status ?? 1, lastLines: lastLinesOf(errors) }));
  });
}

function lastLinesOf(text: string): string {
  return text.trim().split("\n").slice(-3).join("; ");
}

function missingPackages(missing: readonly Program[], packages: readonly string[]): Error {
  return cliErrors.error(
    "missing-packages",
    `Cannot start: found no ${missing.join(", ")} and no right to install; run "${installLine(packages)}"`,
    { values: { missing, packages } },
  );
}

function installLine(packages: readonly string[]): string {
  return `sudo apt-get install -y ${packages.join(" ")}`;
}
