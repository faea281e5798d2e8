/** A PostgreSQL data folder: making it once, and clearing what a killed server left in it. */

import { execFile } from "node:child_process";
import {
  chmod,
  chown,
  mkdir,
  mkdtemp,
  readFile,
  readlink,
  realpath,
  rename,
  rm,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { messageOf } from "@mainstay/kit";
import { postgresErrors } from "./errors.ts";
import { firstClosedFolder, type PostgresProgram, type ProgramUser } from "./program.ts";

const run = promisify(execFile);

export const ADMIN_ROLE = "mainstay_owner";
const ORPHAN_FAST_MS = 10_000;
const ORPHAN_POLL_MS = 20;

export type ClusterPlace = {
  readonly program: PostgresProgram;
  readonly user: ProgramUser | undefined;
  /** The PostgreSQL data folder itself. */
  readonly folder: string;
};

export function environmentOf(program: PostgresProgram): Record<string, string> {
  return {
    PATH: "/usr/bin:/bin",
    LC_ALL: "C",
    TZ: "UTC",
    ...(program.libraries === undefined ? {} : { LD_LIBRARY_PATH: program.libraries }),
  };
}

/** Makes the data folder unless it is there whole. An initdb that was killed leaves only a folder with another name. */
export async function ensureCluster(place: ClusterPlace, password: string): Promise<void> {
  await checkEntry(place);
  if (await isCluster(place.folder)) return;
  const fresh = `${place.folder}.new`;
  await rm(fresh, { recursive: true, force: true });
  await mkdir(fresh, { mode: 0o700 });
  if (place.user !== undefined) await chown(fresh, place.user.uid, place.user.gid);
  await initialise({ ...place, folder: fresh }, password);
  await rename(fresh, place.folder);
}

async function isCluster(folder: string): Promise<boolean> {
  return readFile(join(folder, "PG_VERSION"), "utf8").then(
    () => true,
    () => false,
  );
}

async function checkEntry({ folder, user }: ClusterPlace): Promise<void> {
  if (user === undefined) return;
  const closed = await firstClosedFolder(dirname(folder), user);
  if (closed === undefined) return;
  throw postgresErrors.error(
    "no-entry",
    `Cannot keep PostgreSQL in "${folder}": user ${user.name} may not enter "${closed}"; run "chmod o+x ${closed}" or choose another --data folder`,
    { values: { folder: closed, user: user.name } },
  );
}

async function initialise(place: ClusterPlace, password: string): Promise<void> {
  const passwordFolder = await mkdtemp(join(tmpdir(), "mainstay-initdb-"));
  const passwordFile = join(passwordFolder, "password");
  try {
    await writeFile(passwordFile, password, { mode: 0o600 });
    if (place.user !== undefined) {
      await chmod(passwordFolder, 0o711);
      await chown(passwordFile, place.user.uid, place.user.gid);
    }
    await runInitdb(place, passwordFile);
  } finally {
    await rm(passwordFolder, { recursive: true, force: true });
  }
}

async function runInitdb({ program, user, folder }: ClusterPlace, passwordFile: string): Promise<void> {
  const options = [
    `--pgdata=${folder}`,
    `--username=${ADMIN_ROLE}`,
    `--pwfile=${passwordFile}`,
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    // Bytewise order: no index breaks when a C library or ICU changes its collations.
    "--locale=C",
    "--data-checksums",
  ];
  try {
    await run(join(program.binaries, "initdb"), options, {
      cwd: "/",
      env: environmentOf(program),
      ...(user === undefined ? {} : { uid: user.uid, gid: user.gid }),
    });
  } catch (cause) {
    throw postgresErrors.error(
      "init-failed",
      `Cannot make the database in "${folder}": ${messageOf(cause)}`,
      {
        cause,
      },
    );
  }
}

export type PostmasterFile = { readonly pid: number; readonly status: string };

/** What postmaster.pid says: first line the process, eighth line `starting`, `ready`, `stopping`. */
export async function readPostmasterFile(folder: string): Promise<PostmasterFile | undefined> {
  const text = await readFile(join(folder, "postmaster.pid"), "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  const lines = text.split("\n");
  return { pid: Number(lines[0]), status: (lines[7] ?? "").trim() };
}

/**
 * Ends a PostgreSQL that a killed server left running on this folder, and removes a lock file that names another program.
 * Call only while holding the folder's lock: then whoever runs on it is nobody's.
 */
export async function clearLeftovers(folder: string): Promise<void> {
  const left = await readPostmasterFile(folder);
  if (left === undefined) return;
  if (!(await runsOn(left.pid, folder))) {
    await rm(join(folder, "postmaster.pid"), { force: true });
    return;
  }
  // Fast first; immediate is safe too, the write-ahead log is replayed at the next start.
  for (const signal of ["SIGINT", "SIGQUIT"] as const) {
    endProcess(left.pid, signal);
    const deadline = performance.now() + ORPHAN_FAST_MS;
    while (performance.now() < deadline) {
      if (!(await runsOn(left.pid, folder))) return;
      await sleep(ORPHAN_POLL_MS);
    }
  }
}

/** Whether `pid` is a live PostgreSQL of this folder, which it works in; numbers are reused, so the name alone says little. */
async function runsOn(pid: number, folder: string): Promise<boolean> {
  if (!Number.isInteger(pid) || pid <= 1) return false;
  const name = await readFile(`/proc/${pid}/comm`, "utf8").catch(() => "");
  const workingFolder = await readlink(`/proc/${pid}/cwd`).catch(() => "");
  return name.trim() === "postgres" && workingFolder === (await realpath(folder));
}

function endProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // Gone in the meantime, which is what was wanted.
  }
}
