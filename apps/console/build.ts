/** Builds the console into `dist/` when its sources changed; says where it lies. Called by the server's launcher. */

import { createHash } from "node:crypto";
import { globSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { build, type LogLevel } from "vite";

const CONSOLE = import.meta.dirname;
const REPOSITORY = join(CONSOLE, "../..");
const DIRECTORY = join(CONSOLE, "dist");
const STAMP = join(DIRECTORY, "sources.sha256");

/** Everything the bundle is made from; tests and the development server are not. */
const SOURCES = ["apps/console/**/*", "contract/**/*.ts", "kit/**/*.ts", "package-lock.json"] as const;
const NOT_SOURCES = /(^|\/)(node_modules|dist|testing)(\/|$)|\.test\.tsx?$|\.golden\.|\.md$/;

export type BuiltConsole = {
  /** The folder to serve: `index.html` and hashed files under `assets/`. */
  readonly directory: string;
  /** `false` when the folder was already made from these sources. */
  readonly rebuilt: boolean;
};

/** May be called at every start: it costs one reading of the sources when nothing changed. */
export async function buildConsole(options: { readonly logLevel?: LogLevel } = {}): Promise<BuiltConsole> {
  const wanted = await hashOfSources();
  if ((await readStamp()) === wanted) return { directory: DIRECTORY, rebuilt: false };
  await build({ configFile: join(CONSOLE, "vite.config.ts"), logLevel: options.logLevel ?? "warn" });
  // The stamp is written last: a build that was cut off is done again.
  await writeFile(STAMP, wanted);
  return { directory: DIRECTORY, rebuilt: true };
}

async function hashOfSources(): Promise<string> {
  const hash = createHash("sha256");
  for (const path of sourcePaths()) {
    hash.update(`${path}\0`).update(await readFile(join(REPOSITORY, path)));
  }
  return hash.digest("hex");
}

function sourcePaths(): readonly string[] {
  const found = globSync([...SOURCES], {
    cwd: REPOSITORY,
    withFileTypes: true,
    exclude: (entry) => entry.name === "node_modules" || entry.name === "dist",
  });
  return found
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(REPOSITORY.length + 1))
    .filter((path) => !NOT_SOURCES.test(path))
    .sort();
}

async function readStamp(): Promise<string | undefined> {
  return readFile(STAMP, "utf8").catch(() => undefined);
}

if (import.meta.main) {
  const built = await buildConsole({ logLevel: "info" });
  process.stdout.write(`${built.rebuilt ? "built" : "up to date"}: ${built.directory}\n`);
}
