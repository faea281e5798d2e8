/** For tests: a real PostgreSQL per process, and a fresh migrated database for each test in a few hundredths of a second. */

import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { access, mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Client } from "pg";
import { systemClock, type Clock } from "@mainstay/kit";
import { migrate, readMigrations, type MigrationSource } from "./database/migrations.ts";
import { createDomainEvents } from "./events/domain.ts";
import { installJobTables } from "./jobs/jobs.ts";
import { openData, placeOf, platformMigrations, type OpenedPlatform } from "./platform.ts";
import { startEmbeddedPostgres, type EmbeddedPostgres } from "./postgres/embedded.ts";
import { addressesIn } from "./postgres/open.ts";
import { openKeyFolder } from "./secrets/key-folder.ts";
import { openCertificate } from "./tls/certificate.ts";

export * from "./testing-client.ts";

const OWNER_PASSWORD = "testing-owner-password";
const APP_PASSWORD = "testing-app-password";
const run = promisify(execFile);

export type TestDatabase = ReturnType<typeof addressesIn> & { drop(): Promise<void> };

let running: Promise<EmbeddedPostgres> | undefined;
const templates = new Map<string, Promise<string>>();

/** The PostgreSQL of this process; it ends with the process. */
export function testPostgres(): Promise<EmbeddedPostgres> {
  running ??= startTestPostgres();
  return running;
}

async function startTestPostgres(): Promise<EmbeddedPostgres> {
  const dataDirectory = await mkdtemp(join(tmpdir(), "mainstay-test-"));
  await run("chmod", ["755", dataDirectory]);
  const prepared = await preparedCluster();
  await run("cp", ["-a", "--reflink=auto", join(prepared, "postgres"), dataDirectory]);
  const postgres = await startEmbeddedPostgres(clusterOptions(dataDirectory));
  // The death signal ends PostgreSQL; the folder is removed here, or with /tmp if this process is killed.
  process.once("exit", () => {
    process.kill(postgres.pid(), "SIGQUIT");
    execFile("rm", ["-rf", dataDirectory]).unref();
  });
  return postgres;
}

function clusterOptions(dataDirectory: string) {
  return {
    dataDirectory,
    password: OWNER_PASSWORD,
    environment: process.env,
    durability: "off",
    log: () => undefined,
  } as const;
}

/** initdb takes a second: done once for all processes and copied. */
async function preparedCluster(): Promise<string> {
  const version = createHash("sha256")
    .update(process.env["PG_BIN_DIR"] ?? "embedded 18.4")
    .digest("hex")
    .slice(0, 8);
  const prepared = join(tmpdir(), `mainstay-test-cluster-${version}-${process.getuid?.() ?? 0}`);
  if (await exists(join(prepared, "postgres", "PG_VERSION"))) return prepared;
  const fresh = `${prepared}.${randomBytes(4).toString("hex")}`;
  await mkdir(fresh, { mode: 0o755 });
  const postgres = await startEmbeddedPostgres(clusterOptions(fresh));
  await postgres.stop();
  await rename(fresh, prepared).catch(() => rm(fresh, { recursive: true, force: true }));
  return prepared;
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** A database of its own with the platform's tables and those of `sources`. */
export async function testDatabase(sources: readonly MigrationSource[] = []): Promise<TestDatabase> {
  const postgres = await testPostgres();
  const template = await templateFor(postgres, sources);
  const name = `test_${randomBytes(6).toString("hex")}`;
  await asAdmin(postgres, `create database ${name} template ${template}`);
  return {
    ...addressesIn(postgres.connection, name, APP_PASSWORD),
    drop: () => asAdmin(postgres, `drop database ${name} with (force)`),
  };
}

/** An empty database, for tests of the migrations themselves. */
export async function emptyDatabase(): Promise<TestDatabase> {
  const postgres = await testPostgres();
  const name = `test_${randomBytes(6).toString("hex")}`;
  await asAdmin(postgres, `create database ${name}`);
  return {
    ...addressesIn(postgres.connection, name, APP_PASSWORD),
    drop: () => asAdmin(postgres, `drop database ${name} with (force)`),
  };
}

async function templateFor(postgres: EmbeddedPostgres, sources: readonly MigrationSource[]): Promise<string> {
  const all = [platformMigrations, ...sources];
  const texts = (await Promise.all(all.map(readMigrations))).flat().map((migration) => migration.checksum);
  const name = `template_${createHash("sha256").update(texts.join()).digest("hex").slice(0, 12)}`;
  const known = templates.get(name) ?? makeTemplate(postgres, name, all);
  templates.set(name, known);
  return known;
}

async function makeTemplate(
  postgres: EmbeddedPostgres,
  name: string,
  sources: readonly MigrationSource[],
): Promise<string> {
  await asAdmin(postgres, `create database ${name}`);
  const { owner, app } = addressesIn(postgres.connection, name, APP_PASSWORD);
  await migrate({ owner, appRole: { name: app.user, password: app.password }, sources });
  await installJobTables({ owner, app, log: () => undefined });
  return name;
}

async function asAdmin(postgres: EmbeddedPostgres, sql: string): Promise<void> {
  const client = new Client({ ...postgres.connection, database: "postgres" });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

export type TestPlatformOptions = {
  readonly sources?: readonly MigrationSource[];
  readonly clock?: Clock;
  readonly address?: () => string;
  readonly log?: (text: string) => void;
};

/** A whole platform on a database and a data folder of its own; `close` removes both. */
export async function testPlatform(options: TestPlatformOptions = {}): Promise<OpenedPlatform> {
  const opened = new AsyncDisposableStack();
  const dataDirectory = await mkdtemp(join(tmpdir(), "mainstay-test-data-"));
  opened.defer(() => rm(dataDirectory, { recursive: true, force: true }));
  const addresses = await testDatabase(options.sources);
  opened.defer(() => addresses.drop());
  const log = options.log ?? (() => undefined);
  const data = await openData(addresses, opened, log);
  const keys = await openKeyFolder(join(dataDirectory, "keys"));
  return {
    ...data,
    databasePlace: placeOf(addresses.app),
    dataDirectory,
    clock: options.clock ?? systemClock,
    events: createDomainEvents(),
    keys,
    identity: {
      name: "Test",
      version: "0.0.0-test",
      key: await keys.signingKey("identity"),
      certificate: await openCertificate(join(dataDirectory, "keys"), []),
      address: options.address ?? (() => "https://127.0.0.1:1"),
    },
    log,
    close: () => opened.disposeAsync(),
  };
}
