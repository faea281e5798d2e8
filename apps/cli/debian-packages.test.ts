import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { requiredDebianPackages as ofRecovery } from "@mainstay/recovery";
import { requiredDebianPackages as ofSamples } from "@mainstay/samples";
import { command as demo } from "./demo.ts";
import { DEBIAN_PACKAGE_OF, ensurePrograms, missingPrograms, packagesOf } from "./debian-packages.ts";
import { command as up } from "./server/up.ts";
import { createTerminal } from "./terminal/terminal.ts";

test("a program is there when an executable file of its name is on the path", async () => {
  const directory = await mkdtemp(join(tmpdir(), "mainstay-path-"));
  try {
    await writeFile(join(directory, "nbdkit-of-no-use"), "");
    await writeFile(join(directory, "chromium"), "");
    expect(await missingPrograms(["chromium"], directory)).toEqual(["chromium"]);
    await chmod(join(directory, "chromium"), 0o755);
    expect(await missingPrograms(["chromium"], directory)).toEqual([]);
  } finally {
    await rm(directory, { recursive: true });
  }
});

test("each package is named once", () => {
  expect(packagesOf(["qemu-img", "qemu-nbd", "restic"])).toEqual(["qemu-utils", "restic"]);
});

test("nothing is installed or said when all is there", async () => {
  let written = "";
  const write = (text: string | Uint8Array): boolean => ((written += String(text)), true);
  const streams = { output: { write }, error: { write, isTTY: false, columns: 80 }, input: { isTTY: false } };
  await ensurePrograms(["setpriv"], createTerminal("text", streams), new AbortController().signal);
  expect(written).toBe("");
});

test("whatever a library runs is in the list, under the package that the library names", () => {
  for (const { binary, package: name } of [...ofRecovery, ...ofSamples])
    expect(DEBIAN_PACKAGE_OF).toHaveProperty([binary], name);
});

test("the commands that recover declare the packages of recovery, and the demo those of the samples as well", () => {
  const always = ofRecovery.filter(({ need }) => need !== "uefi machines");
  const packages = (entries: readonly { readonly package: string }[]) =>
    entries.map((entry) => entry.package);
  expect(packagesOf(up.programs ?? [])).toEqual(expect.arrayContaining(packages(always)));
  expect(packagesOf(demo.programs ?? [])).toEqual(
    expect.arrayContaining(packages([...always, ...ofSamples])),
  );
});
