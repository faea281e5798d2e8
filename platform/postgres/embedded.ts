/** PostgreSQL as a child of this process: started with it, restarted when it is killed, never outliving it. */

import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, existsSync, openSync, renameSync, statSync } from "node:fs";
import { chown, mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  ADMIN_ROLE,
  clearLeftovers,
  ensureCluster,
  environmentOf,
  readPostmasterFile,
  type ClusterPlace,
} from "./cluster.ts";
import { postgresErrors } from "./errors.ts";
import { findPostgresProgram, postgresUser } from "./program.ts";

const READY_POLL_MS = 10;
const READY_MS_MAX = 60_000;
/** Backends of a killed postmaster hold its shared memory for a moment. */
const START_ATTEMPTS_MAX = 20;
const START_PAUSE_MS = 250;
const STOP_FAST_MS_MAX = 20_000;
const LOG_SIZE_BYTES_MAX = 16 * 1024 * 1024;
/** `sun_path` holds 108 bytes; PostgreSQL adds `/.s.PGSQL.5432.lock`. */
const SOCKET_FOLDER_LENGTH_MAX = 80;
const SOCKET_PORT = 5432;

export type ConnectionPlace = {
  /** A folder with the unix socket, or a host name. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
};

export type EmbeddedPostgres = {
  readonly connection: ConnectionPlace;
  /** Of the running postmaster; another after a restart. */
  pid(): number;
  /** Ends it within seconds. May be called twice. */
  stop(): Promise<void>;
};

export type EmbeddedOptions = {
  /** Holds `postgres/`, `postgres.log`; must exist. The caller holds its lock. */
  readonly dataDirectory: string;
  /** Password of the owner role; used when the folder is made and to connect. */
  readonly password: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** `off` loses the last transactions at a power cut; for tests. */
  readonly durability: "on" | "off";
  readonly log: (text: string) => void;
};

/** Resolves when connections are taken. */
export async function startEmbeddedPostgres(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const dataDirectory = resolve(options.dataDirectory);
  const place: ClusterPlace = {
    program: await findPostgresProgram(options.environment),
    user: await postgresUser(),
    folder: join(dataDirectory, "postgres"),
  };
  await ensureCluster(place, options.password);
  await clearLeftovers(place.folder);
  const socketFolder = await makeSocketFolder(dataDirectory, place);
  const logPath = join(dataDirectory, "postgres.log");
  const start = () => startUntilReady({ place, socketFolder, logPath, durability: options.durability });
  const supervised = await supervise(start, options.log);
  return {
    connection: { host: socketFolder, port: SOCKET_PORT, user: ADMIN_ROLE, password: options.password },
    pid: () => supervised.pid(),
    stop: async () => {
      await supervised.stop();
      await rm(socketFolder, { recursive: true, force: true });
    },
  };
}

async function makeSocketFolder(dataDirectory: string, { user }: ClusterPlace): Promise<string> {
  const near = join(dataDirectory, "postgres-socket");
  let folder = near;
  if (near.length > SOCKET_FOLDER_LENGTH_MAX) folder = await mkdtemp(join(tmpdir(), "mainstay-postgres-"));
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { mode: 0o700 });
  if (user !== undefined) await chown(folder, user.uid, user.gid);
  return folder;
}

type Launch = {
  readonly place: ClusterPlace;
  readonly socketFolder: string;
  readonly logPath: string;
  readonly durability: "on" | "off";
};

async function startUntilReady(launch: Launch): Promise<ChildProcess> {
  for (let attempt = 1; ; attempt += 1) {
    const child = launchPostgres(launch);
    if (await becomesReady(child, launch.place.folder)) return child;
    if (attempt >= START_ATTEMPTS_MAX || !(await waitsForSharedMemory(launch.logPath))) {
      child.kill("SIGQUIT");
      throw postgresErrors.error(
        "start-failed",
        `Cannot start PostgreSQL in "${launch.place.folder}": ${await lastLogLine(launch.logPath)}; see ${launch.logPath}`,
        { values: { log: launch.logPath } },
      );
    }
    await sleep(START_PAUSE_MS);
  }
}

function launchPostgres({ place, socketFolder, logPath, durability }: Launch): ChildProcess {
  if (existsSync(logPath) && statSync(logPath).size > LOG_SIZE_BYTES_MAX) renameSync(logPath, `${logPath}.1`);
  const log = openSync(logPath, "a", 0o600);
  const settings = {
    listen_addresses: "",
    unix_socket_directories: socketFolder,
    unix_socket_permissions: "0700",
    port: String(SOCKET_PORT),
    timezone: "UTC",
    log_timezone: "UTC",
    ...(durability === "off" ? { fsync: "off", synchronous_commit: "off", full_page_writes: "off" } : {}),
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const command = [join(place.program.binaries, "postgres"), "-D", place.folder, ...flags];
  // Without the death signal PostgreSQL would live on after a kill -9 of this process and keep the folder locked.
  const child = spawn("setpriv", ["--pdeathsig=INT", "--", ...command], {
    cwd: "/",
    stdio: ["ignore", log, log],
    env: environmentOf(place.program),
    // Out of the terminal's group: Ctrl-C must reach us first, so that we stop in order.
    detached: true,
    ...(place.user === undefined ? {} : { uid: place.user.uid, gid: place.user.gid }),
  });
  closeSync(log);
  child.on("error", () => undefined);
  return child;
}

async function becomesReady(child: ChildProcess, folder: string): Promise<boolean> {
  const deadline = performance.now() + READY_MS_MAX;
  while (performance.now() < deadline && !hasEnded(child)) {
    const file = await readPostmasterFile(folder);
    if (file?.pid === child.pid && file?.status === "ready") return true;
    await sleep(READY_POLL_MS);
  }
  return false;
}

function hasEnded(child: ChildProcess): boolean {
  return child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
}

async function waitsForSharedMemory(logPath: string): Promise<boolean> {
  return /pre-existing shared memory block|lock file .* already exists/.test(
    (await logTail(logPath)).join("\n"),
  );
}

async function lastLogLine(logPath: string): Promise<string> {
  const lines = await logTail(logPath);
  const line = lines.findLast((candidate) => /FATAL|PANIC|ERROR|error/.test(candidate)) ?? lines.at(-1);
  return (line ?? "its log is empty").replace(/^.*?(FATAL|PANIC|ERROR):\s*/, "");
}

async function logTail(logPath: string): Promise<readonly string[]> {
  const text = await readFile(logPath, "utf8").catch(() => "");
  return text.trim().split("\n").slice(-6);
}

type Supervised = { pid(): number; stop(): Promise<void> };

async function supervise(
  start: () => Promise<ChildProcess>,
  log: (text: string) => void,
): Promise<Supervised> {
  let child = await start();
  const stopping = new AbortController();
  let restarting: Promise<void> = Promise.resolve();
  const restart = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      try {
        child = await start();
        watch();
        return;
      } catch (cause) {
        log(`PostgreSQL did not come back: ${cause instanceof Error ? cause.message : String(cause)}`);
        await sleep(1_000);
      }
    }
  };
  const watch = (): void => {
    child.once("exit", (code, signal) => {
      if (stopping.signal.aborted) return;
      log(`PostgreSQL ended by itself (${signal ?? code ?? "unknown"}); starting it again`);
      restarting = restart();
    });
  };
  watch();
  return {
    pid: () => child.pid ?? 0,
    stop: async () => {
      stopping.abort();
      await restarting;
      await endChild(child);
    },
  };
}

async function endChild(child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return;
  const ended = new Promise<void>((done) => child.once("exit", () => done()));
  child.kill("SIGINT");
  // Unreferenced, so that a stopped process does not stay alive for its own patience.
  const patience = setTimeout(() => child.kill("SIGQUIT"), STOP_FAST_MS_MAX);
  await ended;
  clearTimeout(patience);
}
