/** The machine's apt sources, in both of apt's notations. */

import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { sampleErrors } from "./errors.ts";
import { fromLines, fromStanzas, readPackageSources } from "./package-sources.ts";

const SIGNED = "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "mainstay-package-sources-"));
  await mkdir(path.join(folder, "sources.list.d"));
});
afterEach(() => rm(folder, { recursive: true }));

test("lines: Debian's main component counts; comments, sources and other suites do not", () => {
  const text = `
# deb http://mirror.test/debian bookworm main
deb http://mirror.test/debian bookworm main contrib # ours
deb [arch=amd64 signed-by=/x.gpg] http://mirror.test/security bookworm-security main
deb-src http://mirror.test/debian bookworm main
deb http://other.test/ cloud-bookworm main
deb http://other.test/ bookworm stable
`;
  expect(fromLines(text)).toEqual([
    `deb ${SIGNED} http://mirror.test/debian bookworm main`,
    `deb ${SIGNED} http://mirror.test/security bookworm-security main`,
  ]);
});

test("stanzas: several suites, folded fields, comments and disabled paragraphs", () => {
  const text = `Types: deb deb-src
# a comment
URIs: http://mirror.test/debian
Suites: bookworm
 bookworm-updates
Components: main

Enabled: no
Types: deb
URIs: http://off.test/debian
Suites: bookworm
Components: main
`;
  expect(fromStanzas(text)).toEqual([
    `deb ${SIGNED} http://mirror.test/debian bookworm main`,
    `deb ${SIGNED} http://mirror.test/debian bookworm-updates main`,
  ]);
});

test("both notations are read together, each entry once", async () => {
  await writeFile(path.join(folder, "sources.list"), "deb http://mirror.test/debian bookworm main\n");
  const stanza =
    "Types: deb\nURIs: http://mirror.test/debian\nSuites: bookworm bookworm-updates\nComponents: main\n";
  await writeFile(path.join(folder, "sources.list.d/debian.sources"), stanza);
  expect(await readPackageSources(folder)).toHaveLength(2);
});

test("a machine without a Debian 12 source is told what to add", async () => {
  await rm(path.join(folder, "sources.list.d"), { recursive: true });
  const failure: unknown = await readPackageSources(folder).catch((cause: unknown) => cause);
  expect(sampleErrors.is(failure, "sources-missing")).toBe(true);
  expect(String(failure)).toContain('add a "deb" line');
});
