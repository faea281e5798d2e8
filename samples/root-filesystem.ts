/** The guest's files: Debian's packages, our overlay, and the guest's own programs run in place to finish them. */

import path from "node:path";
import { writeFile } from "node:fs/promises";
import {
  GUEST_PACKAGES,
  EXCLUDED_PATHS,
  KERNEL_COMMAND_LINE,
  OVERLAY_FOLDER,
  ROOT_UUID,
  SAMPLE_CREDENTIALS,
  STEPS_FOLDER,
} from "./recipe.ts";
import { grubConfiguration } from "./grub.ts";
import { readPackageSources, RELEASE } from "./package-sources.ts";
import { run, runContained } from "./program.ts";

export const PACKAGES_ARCHIVE = "root.tar.zst";

/** Of the machine's apt settings, those that decide how and whether a source can be reached. */
const APT_SETTINGS = /^Acquire::(?:(?:http|https|ftp)::|Check-Valid-Until |Check-Date |Retries )/;

/** Downloads and installs the guest's packages; leaves them in `folder` as {@link PACKAGES_ARCHIVE}. */
export async function installPackages(folder: string, signal?: AbortSignal): Promise<void> {
  const sources = await readPackageSources();
  const settings = (await run("read apt's settings", ["apt-config", "dump"], { signal }))
    .toString()
    .split("\n");
  const args = [
    "--mode=root",
    "--variant=minbase",
    "--format=tar",
    ...settings.filter((line) => APT_SETTINGS.test(line)).map((line) => `--aptopt=${line.replace(/;$/, "")}`),
    '--aptopt=Acquire::Languages "none"',
    ...EXCLUDED_PATHS.map((pattern) => `--dpkgopt=path-exclude=${pattern}`),
    `--include=${GUEST_PACKAGES.join(",")}`,
    RELEASE,
    path.join(folder, PACKAGES_ARCHIVE),
  ];
  await runContained(
    "install Debian for the sample server",
    `exec mmdebstrap ${args.map(quoted).join(" ")}`,
    {
      input: `${sources.join("\n")}\n`,
      // It unpacks there: the temporary folder of a small machine is often memory.
      environment: { TMPDIR: folder },
      signal,
    },
  );
}

/** Unpacks the archive into `root` and makes a server of it that needs only its rows. */
export async function layOutRoot(archive: string, root: string, signal?: AbortSignal): Promise<void> {
  const unpack = ["tar", "--extract", "--zstd", "--numeric-owner", "--xattrs", "--xattrs-include=*"] as const;
  await run("unpack Debian", [...unpack, "--file", archive, "--directory", root], { signal });
  await runInRoot("create the database cluster", { root, step: "create-cluster.sh", signal });
  await run(
    "lay the sample's settings over Debian",
    ["cp", "--recursive", "--no-preserve=all", "--", `${OVERLAY_FOLDER}/.`, root],
    { signal },
  );
  await writeFile(path.join(root, "etc/fstab"), `UUID=${ROOT_UUID} / ext4 noatime,errors=remount-ro 0 0\n`);
  const environment = { ROOT_PASSWORD: SAMPLE_CREDENTIALS.rootPassword };
  await runInRoot("configure the sample server", { root, step: "configure.sh", environment, signal });
  await runInRoot("make the sample server bootable", { root, step: "make-boot.sh", signal });
  await writeFile(path.join(root, "boot/grub/grub.cfg"), grubConfiguration(KERNEL_COMMAND_LINE));
}

export type RootStep = {
  readonly root: string;
  /** A file of `steps/`. */
  readonly step: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
};

/** Runs a script of `steps/` with the guest's programs in the guest's root; gives what it printed. */
export async function runInRoot(
  purpose: string,
  { root, step, environment, signal }: RootStep,
): Promise<string> {
  const script = `
    mount -t proc proc "$GUEST_ROOT/proc"
    mount --rbind /dev "$GUEST_ROOT/dev"
    mount -t tmpfs tmpfs "$GUEST_ROOT/run"
    cp -r --no-preserve=all "$STEPS" "$GUEST_ROOT/run/steps"
    exec chroot "$GUEST_ROOT" sh -eu "/run/steps/$STEP"`;
  const places = { GUEST_ROOT: root, STEPS: STEPS_FOLDER, STEP: step };
  return (
    await runContained(purpose, script, { environment: { ...environment, ...places }, signal })
  ).toString();
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
