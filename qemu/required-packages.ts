/** The programs this package runs and the Debian packages that bring them. */

import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";

export type RequiredPackage = {
  readonly package: string;
  readonly binary: string;
  /** An optional one is needed only for the purpose told. */
  readonly need: "always" | "uefi machines" | "snapshot boots";
};

export const requiredDebianPackages: readonly RequiredPackage[] = [
  { package: "qemu-system-x86", binary: "qemu-system-x86_64", need: "always" },
  { package: "util-linux", binary: "setpriv", need: "always" },
  { package: "qemu-utils", binary: "qemu-img", need: "snapshot boots" },
  { package: "ovmf", binary: "/usr/share/OVMF/OVMF_CODE_4M.fd", need: "uefi machines" },
];

/** Those of `packages` whose binary is not on this system. */
export async function missingPackages<Package extends { readonly binary: string }>(
  packages: readonly Package[],
): Promise<readonly Package[]> {
  const found = await Promise.all(packages.map((entry) => isInstalled(entry.binary)));
  return packages.filter((_, index) => found[index] === false);
}

async function isInstalled(binary: string): Promise<boolean> {
  const folders = binary.startsWith("/")
    ? [""]
    : [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/sbin"];
  const tries = folders.map((folder) =>
    access(join(folder, binary), constants.R_OK).then(
      () => true,
      () => false,
    ),
  );
  return (await Promise.all(tries)).includes(true);
}
