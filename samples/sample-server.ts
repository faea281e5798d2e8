/** The one thing this package does: a sample server's disk, from the cache or built now. */

import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { systemClock } from "@mainstay/kit";
import { cacheEntry, defaultCacheFolder } from "./cache.ts";
import { loadDatabase, parseChecks, printChecks, type SqlCheck } from "./database.ts";
import { writeDiskImage } from "./disk-image.ts";
import { unwrappedKernel } from "./kernel-image.ts";
import { run } from "./program.ts";
import {
  diskKey,
  HOST_NAME,
  KERNEL_COMMAND_LINE,
  packagesKey,
  recipeOf,
  SAMPLE_CREDENTIALS,
  type Recipe,
  type SampleVariant,
} from "./recipe.ts";
import { assertBuildable } from "./required-packages.ts";
import { installPackages, layOutRoot, PACKAGES_ARCHIVE } from "./root-filesystem.ts";

export type SampleServerRequest = {
  readonly variant: SampleVariant;
  /** Where the disk and kernel are put; made if absent, those files in it replaced. */
  readonly directory: string;
  /** The disk's virtual size; 70 GiB for `full`, 3 GiB for `small` unless told. */
  readonly sizeBytes?: number | undefined;
  /** `$XDG_CACHE_HOME/mainstay/samples` or `~/.cache/mainstay/samples` unless told. */
  readonly cacheDirectory?: string | undefined;
  readonly onProgress?: ((progress: SampleProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
};

export type SampleStep = "waiting" | "packages" | "root" | "database" | "disk" | "copy";

export type SampleProgress = {
  /** What begins now. Steps that the cache spares are not told of. */
  readonly step: SampleStep;
  /** The same for people. */
  readonly text: string;
  /** Since the call. */
  readonly elapsedMs: number;
};

export type SampleServer = {
  readonly diskPath: string;
  readonly sizeBytes: number;
  readonly hostName: string;
  readonly sql: {
    readonly port: number;
    readonly user: string;
    readonly password: string;
    readonly database: string;
    /** What this very disk answered when it was built, as psql prints it unaligned. */
    readonly checks: readonly SqlCheck[];
  };
  readonly login: { readonly user: string; readonly password: string };
  /** For QEMU's `-kernel`, `-initrd`, `-append`: past firmware and boot loader. The kernel is an ELF file with a PVH entry. */
  readonly directStart: {
    readonly kernelPath: string;
    readonly initrdPath: string;
    readonly commandLine: string;
  };
};

const TEXTS: Readonly<Record<SampleStep, string>> = {
  waiting: "Waiting for another process that builds the same",
  packages: "Installing Debian and PostgreSQL from packages",
  root: "Setting the server up",
  database: "Loading the database",
  disk: "Writing the disk",
  copy: "Copying the disk out of the cache",
};

const DISK = "disk.raw";
const KERNEL = "vmlinux";
const INITRD = "initrd.img";
const CHECKS = "checks.txt";

/**
 * Builds the sample server, or copies it from the cache. May be called twice, also by two processes at once: one builds, the
 * other waits. After a kill at any point the next call carries on from the last finished step.
 *
 * Errors: `samples.not-root`, `samples.package-missing`, `samples.sources-missing`, `samples.step-failed`, `samples.size-unusable`.
 */
export async function buildSampleServer(request: SampleServerRequest): Promise<SampleServer> {
  const recipe = recipeOf(request.variant, request.sizeBytes);
  const startMs = systemClock.monotonicMs();
  const report = (step: SampleStep): void =>
    request.onProgress?.({ step, text: TEXTS[step], elapsedMs: systemClock.monotonicMs() - startMs });
  const build: Build = {
    recipe,
    report,
    signal: request.signal,
    cacheFolder: request.cacheDirectory ?? defaultCacheFolder(),
  };
  const cached = await cacheEntry({
    folder: build.cacheFolder,
    key: await diskKey(recipe),
    fill: (folder) => fillDisk(folder, build),
    signal: build.signal,
    onWaiting: () => report("waiting"),
  });
  report("copy");
  await mkdir(request.directory, { recursive: true });
  for (const name of [KERNEL, INITRD, DISK]) await copySparse(cached, request.directory, name, build.signal);
  const checks = parseChecks(await readFile(path.join(cached, CHECKS), "utf8"));
  return describe(recipe, request.directory, checks);
}

type Build = {
  readonly recipe: Recipe;
  readonly cacheFolder: string;
  readonly report: (step: SampleStep) => void;
  readonly signal: AbortSignal | undefined;
};

async function fillDisk(folder: string, { recipe, cacheFolder, report, signal }: Build): Promise<void> {
  await assertBuildable();
  const packages = await cacheEntry({
    folder: cacheFolder,
    key: packagesKey(),
    fill: (packagesFolder) => {
      report("packages");
      return installPackages(packagesFolder, signal);
    },
    signal,
    onWaiting: () => report("waiting"),
  });
  const root = path.join(folder, "root");
  await mkdir(root, { mode: 0o755 });
  report("root");
  await layOutRoot(path.join(packages, PACKAGES_ARCHIVE), root, signal);
  report("database");
  const checks = await loadDatabase(root, recipe, signal);
  report("disk");
  await writeDiskImage({ root, diskPath: path.join(folder, DISK), sizeBytes: recipe.sizeBytes, signal });
  await writeFile(
    path.join(folder, KERNEL),
    await unwrappedKernel(await readFile(path.join(root, "boot/vmlinuz.full")), signal),
  );
  await writeFile(path.join(folder, INITRD), await readFile(path.join(root, "boot/initrd.full")));
  await writeFile(path.join(folder, CHECKS), printChecks(checks));
  await rm(root, { recursive: true });
}

/** Under another name first, so that a file of the wanted name is whole. Shares blocks with the cache where the file system can. */
async function copySparse(
  from: string,
  to: string,
  name: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const partial = path.join(to, `${name}.partial`);
  const copy = ["cp", "--sparse=auto", "--reflink=auto", "--", path.join(from, name), partial] as const;
  await run("copy the sample server out of the cache", copy, { signal });
  await rename(partial, path.join(to, name));
}

function describe(recipe: Recipe, directory: string, checks: readonly SqlCheck[]): SampleServer {
  const { user, password, database, rootPassword } = SAMPLE_CREDENTIALS;
  return {
    diskPath: path.join(directory, DISK),
    sizeBytes: recipe.sizeBytes,
    hostName: HOST_NAME,
    sql: { port: 5432, user, password, database, checks },
    login: { user: "root", password: rootPassword },
    directStart: {
      kernelPath: path.join(directory, KERNEL),
      initrdPath: path.join(directory, INITRD),
      commandLine: KERNEL_COMMAND_LINE,
    },
  };
}
