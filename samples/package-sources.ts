/** Where this machine gets Debian 12 from, read from its own apt configuration: the build asks nobody else. */

import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { systemCodeOf } from "@mainstay/kit";
import { sampleErrors } from "./errors.ts";

export const RELEASE = "bookworm";
const ARCHIVE_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";

/** Suites of other vendors carry the release in their names too, so only these count. */
const SUITES = new Set([RELEASE, `${RELEASE}-updates`, `${RELEASE}-security`]);
const COMPONENT = "main";

/** One-line `deb` entries for Debian 12's main component. Rejects with `samples.sources-missing` when there are none. */
export async function readPackageSources(configurationFolder = "/etc/apt"): Promise<readonly string[]> {
  const texts = await readSourceFiles(configurationFolder);
  const entries = new Set(
    texts.flatMap(({ name, text }) => (name.endsWith(".sources") ? fromStanzas(text) : fromLines(text))),
  );
  if ([...entries].some((entry) => entry.includes(` ${RELEASE} `))) return [...entries];
  throw sampleErrors.error(
    "sources-missing",
    `Cannot build the sample server: found no source for suite "${RELEASE}" in ${configurationFolder}, wanted Debian 12's; ` +
      `add a "deb" line for "${RELEASE} ${COMPONENT}" to ${path.join(configurationFolder, "sources.list")}`,
    { values: { configurationFolder } },
  );
}

/** Entries of a classic `sources.list`. */
export function fromLines(text: string): readonly string[] {
  return text.split("\n").flatMap((line) => {
    const match = /^\s*deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s+(.+)$/.exec(line.replace(/#.*$/, ""));
    const [, address = "", suite = "", components = ""] = match ?? [];
    return entriesOf([address], [suite], components.split(/\s+/));
  });
}

/** Entries of a deb822 `.sources` file: paragraphs of fields, whose values may go on in indented lines. */
export function fromStanzas(text: string): readonly string[] {
  const paragraphs = text.replace(/^#.*\n?/gm, "").split(/\n\s*\n/);
  return paragraphs.flatMap((paragraph) => {
    const unfolded = paragraph.replace(/\n[ \t]+/g, " ");
    const wordsOf = (field: string): readonly string[] =>
      new RegExp(`^${field}:(.*)$`, "im").exec(unfolded)?.[1]?.trim().split(/\s+/) ?? [];
    if (!wordsOf("Types").includes("deb") || wordsOf("Enabled").includes("no")) return [];
    return entriesOf(wordsOf("URIs"), wordsOf("Suites"), wordsOf("Components"));
  });
}

function entriesOf(
  addresses: readonly string[],
  suites: readonly string[],
  components: readonly string[],
): readonly string[] {
  if (!components.includes(COMPONENT)) return [];
  const wanted = suites.filter((suite) => SUITES.has(suite));
  return addresses.flatMap((address) =>
    wanted.map((suite) => `deb [signed-by=${ARCHIVE_KEYRING}] ${address} ${suite} ${COMPONENT}`),
  );
}

async function readSourceFiles(
  folder: string,
): Promise<readonly { readonly name: string; readonly text: string }[]> {
  const parts = await ignoringAbsence(readdir(path.join(folder, "sources.list.d")), []);
  const names = [
    "sources.list",
    ...parts.filter((name) => /\.(list|sources)$/.test(name)).map((name) => `sources.list.d/${name}`),
  ];
  return Promise.all(
    names.map(async (name) => ({
      name,
      text: await ignoringAbsence(readFile(path.join(folder, name), "utf8"), ""),
    })),
  );
}

async function ignoringAbsence<Value>(reading: Promise<Value>, otherwise: Value): Promise<Value> {
  try {
    return await reading;
  } catch (cause) {
    if (systemCodeOf(cause) === "ENOENT") return otherwise;
    throw cause;
  }
}
