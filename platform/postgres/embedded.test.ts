import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "pg";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startEmbeddedPostgres, type EmbeddedPostgres } from "./embedded.ts";
import { lockFolder } from "./folder-lock.ts";

let dataDirectory: string;

beforeEach(async () => {
  dataDirectory = await mkdtemp(join(tmpdir(), "mainstay-embedded-"));
  await chmod(dataDirectory, 0o711);
});

afterEach(() => rm(dataDirectory, { recursive: true, force: true }));

function start(folder = dataDirectory): Promise<EmbeddedPostgres> {
  return startEmbeddedPostgres({
    dataDirectory: folder,
    password: "a-password",
    environment: process.env,
    durability: "on",
    log: () => undefined,
  });
}

async function query(postgres: EmbeddedPostgres, sql: string): Promise<unknown> {
  const client = new Client({ ...postgres.connection, database: "postgres" });
  await client.connect();
  try {
    return (await client.query<{ value: unknown }>(sql)).rows[0]?.value;
  } finally {
    await client.end();
  }
}

async function eventually<Value>(task: () => Promise<Value>): Promise<Value> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await task();
    } catch (cause) {
      if (attempt > 100) throw cause;
      await sleep(100);
    }
  }
}

test("it starts on an empty folder, wants the password, listens on no network, and stops", async () => {
  const postgres = await start();
  expect(await query(postgres, "select current_setting('listen_addresses') as value")).toBe("");
  expect(await query(postgres, "select current_setting('data_checksums') as value")).toBe("on");
  const stranger = new Client({ ...postgres.connection, password: "wrong", database: "postgres" });
  await expect(stranger.connect()).rejects.toThrow(/password authentication failed/);
  await postgres.stop();
  await postgres.stop();
  await expect(readFile(join(dataDirectory, "postgres", "postmaster.pid"))).rejects.toThrow(/ENOENT/);
});

test("killed with -9 it comes back by itself with what was committed", async () => {
  const postgres = await start();
  await query(postgres, "create table kept as select 42 as value");
  const before = postgres.pid();
  process.kill(before, "SIGKILL");
  expect(await eventually(() => query(postgres, "select value from kept"))).toBe(42);
  expect(postgres.pid()).not.toBe(before);
  await postgres.stop();
});

test("when the server is killed with -9, PostgreSQL does not outlive it, and the next start recovers", async () => {
  const module = new URL("./embedded.ts", import.meta.url).href;
  const script = `
    const { startEmbeddedPostgres } = await import(${JSON.stringify(module)});
    const postgres = await startEmbeddedPostgres({ dataDirectory: process.argv[1], password: "a-password", environment: process.env, durability: "on", log: () => undefined });
    process.stdout.write(String(postgres.pid()));
    setInterval(() => undefined, 1000);`;
  const server = spawn(process.execPath, ["--input-type=module", "-e", script, dataDirectory], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [said] = (await once(server.stdout, "data")) as [Buffer];
  server.kill("SIGKILL");
  const postgres = await start();
  expect(await query(postgres, "select 1 as value")).toBe(1);
  expect(postgres.pid()).not.toBe(Number(said.toString()));
  await postgres.stop();
});

test("a lock file that names another living program does not stop the start", async () => {
  await (await start()).stop();
  await writeFile(join(dataDirectory, "postgres", "postmaster.pid"), `${process.pid}\n${dataDirectory}\n`);
  const postgres = await start();
  expect(await query(postgres, "select 1 as value")).toBe(1);
  await postgres.stop();
});

test("an initdb that was cut off is begun anew", async () => {
  await mkdir(join(dataDirectory, "postgres.new"));
  await writeFile(join(dataDirectory, "postgres.new", "PG_VERSION"), "18\n");
  const postgres = await start();
  expect(await query(postgres, "select 1 as value")).toBe(1);
  await postgres.stop();
});

test("a damaged data folder is told with PostgreSQL's own reason and the log's place", async () => {
  await (await start()).stop();
  await rm(join(dataDirectory, "postgres", "global", "pg_control"));
  await expect(start()).rejects.toMatchObject({
    code: "postgres.start-failed",
    message: expect.stringContaining("postgres.log") as string,
  });
});

test.runIf(process.getuid?.() === 0)(
  "a folder that PostgreSQL's user cannot enter is named, with the way out",
  async () => {
    const closed = join(dataDirectory, "closed");
    await mkdir(join(closed, "data"), { recursive: true, mode: 0o700 });
    await expect(start(join(closed, "data"))).rejects.toMatchObject({
      code: "postgres.no-entry",
      values: { folder: closed },
    });
  },
);

test("a path too long for a unix socket still works", async () => {
  const long = join(dataDirectory, "d".repeat(100));
  await mkdir(long, { mode: 0o711 });
  await chmod(long, 0o711);
  const postgres = await start(long);
  expect(await query(postgres, "select 1 as value")).toBe(1);
  await postgres.stop();
});

test("a folder is one server's at a time", async () => {
  const lock = await lockFolder(dataDirectory);
  await expect(lockFolder(dataDirectory)).rejects.toMatchObject({ code: "folder.in-use" });
  await lock.release();
  await (await lockFolder(dataDirectory)).release();
});
