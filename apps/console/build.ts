/** Builds the console under `dist/` when its sources changed; says where it lies. Called by the server's launcher. */

import { createHash } from "node:crypto";
import { globSync } from "node:fs";
import { readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { build, type LogLevel } from "vite";

const CONSOLE = import.meta.dirname;
const REPOSITORY = join(CONSOLE, "../..");
const BUILDS = join(CONSOLE, "dist");

/** Everything the bundle is made from; tests and the development server are not. */
const SOURCES = ["apps/console/**/*", "contract/**/*.ts", "kit/**/*.ts", "package-lock.json"] as const;
const NOT_SOURCES = /(^|\/)(node_modules|dist|testing)(\/|$)|\.test\.tsx?$|\.golden\.|\.md$/;

/** A server that runs may still serve the build before; one of this age is served by none. */
const KEPT_MS = 24 * 60 * 60 * 1000;

export type BuiltConsole = {
  /** The folder to serve: `index.html` and hashed files under `assets/`. It never changes once it is there. */
  readonly directory: string;
  /** `false` when it was already made from these sources. */
  readonly rebuilt: boolean;
};

/** May be called at every start, and by several processes at once: it costs one reading of the sources when nothing changed. */
export async function buildConsole(options: { readonly logLevel?: LogLevel } = {}): Promise<BuiltConsole> {
  const directory = join(BUILDS, (await hashOfSources()).slice(0, 20));
  if (await isFolder(directory)) return { directory, rebuilt: false };
  const making = `${directory}.${process.pid}`;
  await buildInto(making, options.logLevel ?? "warn");
  await putInPlace(making, directory);
  await removeOldBuilds(directory);
  return { directory, rebuilt: true };
}

async function buildInto(outDir: string, logLevel: LogLevel): Promise<void> {
  const before = process.env["NODE_ENV"];
  // Vite takes it from the process; under a test runner it would bundle React's development build, which needs `eval`.
  process.env["NODE_ENV"] = "production";
  try {
    await build({ configFile: join(CONSOLE, "vite.config.ts"), logLevel, build: { outDir } });
  } finally {
    if (before === undefined) delete process.env["NODE_ENV"];
    else process.env["NODE_ENV"] = before;
  }
}

/** A build appears whole or not at all; when another process was quicker, its build is as good. */
async function putInPlace(making: string, directory: string): Promise<void> {
  try {
    await rename(making, directory);
  } catch (cause) {
    await rm(making, { recursive: true, force: true });
    if (!(await isFolder(directory))) throw cause;
  }
}

async function removeOldBuilds(current: string): Promise<void> {
  for (const name of await readdir(BUILDS)) {
    const path = join(BUILDS, name);
    const { mtimeMs } = await stat(path);
    if (path !== current && Date.now() - mtimeMs > KEPT_MS) await rm(path, { recursive: true, force: true });
  }
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
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

if (import.meta.main) {
  const built = await buildConsole({ logLevel: "info" });
  process.stdout.write(`${built.rebuilt ? "built" : "up to date"}: ${built.directory}\n`);
}
