/** What the machine that builds must have installed, and a check that says how to get it. */

import { constants } from "node:fs";
import { access } from "node:fs/promises";
import path from "node:path";
import { sampleErrors } from "./errors.ts";

export type RequiredDebianPackage = {
  readonly package: string;
  /** A program of the package, whose presence shows that it is installed. */
  readonly binary: string;
};

export const requiredDebianPackages: readonly RequiredDebianPackage[] = [
  { package: "mmdebstrap", binary: "mmdebstrap" },
  { package: "e2fsprogs", binary: "mke2fs" },
  { package: "util-linux", binary: "unshare" },
  { package: "coreutils", binary: "cp" },
  { package: "tar", binary: "tar" },
  { package: "zstd", binary: "zstd" },
  { package: "xz-utils", binary: "xz" },
  { package: "debian-archive-keyring", binary: "/usr/share/keyrings/debian-archive-keyring.gpg" },
];

/** `sbin` is not on the path of every root shell (`su` without a dash leaves it out), and mke2fs lies there. */
export const SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Those of `packages` that are not installed. */
export async function missingPackages(
  packages: readonly RequiredDebianPackage[] = requiredDebianPackages,
  searchPath: string = SEARCH_PATH,
): Promise<readonly RequiredDebianPackage[]> {
  const found = await Promise.all(packages.map((wanted) => isInstalled(wanted, searchPath)));
  return packages.filter((_, position) => found[position] === false);
}

/** Rejects with `samples.not-root` or `samples.package-missing`, each with the command that helps. */
export async function assertBuildable(userId: number | undefined = process.getuid?.()): Promise<void> {
  const missing = await missingPackages();
  if (missing.length > 0) {
    const names = missing.map((wanted) => wanted.package);
    throw sampleErrors.error(
      "package-missing",
      `Cannot build the sample server: found no ${names.join(", ")}, wanted all of its tools; run ` +
        `"${userId === 0 ? "" : "sudo "}apt-get install --yes --no-install-recommends ${names.join(" ")}"`,
      { values: { packages: names } },
    );
  }
  if (userId !== 0) {
    throw sampleErrors.error(
      "not-root",
      `Cannot build the sample server: found user id ${userId ?? "unknown"}, wanted 0 (root); ` +
        `run the same command as root or with sudo in front`,
      { values: { userId } },
    );
  }
}

async function isInstalled(wanted: RequiredDebianPackage, searchPath: string): Promise<boolean> {
  const isFile = wanted.binary.startsWith("/");
  const places = isFile
    ? [wanted.binary]
    : searchPath.split(":").map((folder) => path.join(folder, wanted.binary));
  const mode = isFile ? constants.R_OK : constants.X_OK;
  const present = await Promise.all(
    places.map((place) =>
      access(place, mode).then(
        () => true,
        () => false,
      ),
    ),
  );
  return present.includes(true);
}
