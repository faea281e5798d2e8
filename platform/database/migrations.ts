/** Plain SQL migrations, one folder per module, applied in order under one lock by whichever process comes first. */

import { createHash } from "node:crypto";
import { readFile, readdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { join } from "node:path";
import { Client } from "pg";
import { messageOf } from "@mainstay/kit";
import type { DatabaseAddress } from "./database.ts";
import { databaseErrors } from "./errors.ts";

/** The key of the advisory lock: the ASCII of "mainstay" would not fit a signed bigint's readable form; any constant does. */
const LOCK_KEY = 7_234_017_283_807_667;
const FILE_NAME = /^\d{4}-[a-z0-9-]+\.sql$/;

export type MigrationSource = {
  /** The module, which is also the name of its schema. */
  readonly name: string;
  /** Folder of files `0001-what-it-does.sql`; a file never changes once released. */
  readonly migrations: URL;
};

export type Migration = {
  readonly module: string;
  readonly name: string;
  readonly text: string;
  readonly checksum: string;
};

export async function readMigrations(source: MigrationSource): Promise<readonly Migration[]> {
  const folder = fileURLToPath(source.migrations);
  const names = (await readdir(folder)).filter((name) => FILE_NAME.test(name)).sort();
  return Promise.all(
    names.map(async (name) => {
      const text = await readFile(join(folder, name), "utf8");
      return { module: source.name, name, text, checksum: createHash("sha256").update(text).digest("hex") };
    }),
  );
}

export type MigrateOptions = {
  /** Of the role that owns the tables. */
  readonly owner: DatabaseAddress;
  /** The role that the application works as. It owns nothing and row-level security binds it. */
  readonly appRole: { readonly name: string; readonly password: string };
  /** In the order of their dependencies; the platform's own come first. */
  readonly sources: readonly MigrationSource[];
};

/** Brings the database to this version. Several processes may call it at once; each migration is one transaction. */
export async function migrate(options: MigrateOptions): Promise<readonly Migration[]> {
  const migrations = (await Promise.all(options.sources.map(readMigrations))).flat();
  const client = new Client(options.owner);
  await client.connect();
  try {
    await client.query("select pg_advisory_lock($1)", [LOCK_KEY]);
    await ensureRole(client, options);
    const applied = await readApplied(client);
    checkApplied(applied, migrations);
    const fresh = migrations.filter((migration) => !applied.has(keyOf(migration)));
    for (const migration of fresh) await apply(client, migration, options.appRole.name);
    return fresh;
  } finally {
    // Ending the session gives the lock back.
    await client.end();
  }
}

async function ensureRole(client: Client, { appRole, owner }: MigrateOptions): Promise<void> {
  const name = client.escapeIdentifier(appRole.name);
  const password = client.escapeLiteral(appRole.password);
  const existing = await client.query("select 1 from pg_roles where rolname = $1", [appRole.name]);
  const verb = existing.rowCount === 0 ? "create" : "alter";
  await client.query(`${verb} role ${name} login noinherit nocreatedb nocreaterole password ${password}`);
  await client.query(`grant connect on database ${client.escapeIdentifier(owner.database)} to ${name}`);
}

async function readApplied(client: Client): Promise<ReadonlyMap<string, string>> {
  await client.query(`
    create schema if not exists mainstay;
    create table if not exists mainstay.migration (
      module text not null,
      name text not null,
      checksum text not null,
      applied_at timestamptz not null default now(),
      primary key (module, name)
    )`);
  const { rows } = await client.query<{ module: string; name: string; checksum: string }>(
    "select module, name, checksum from mainstay.migration",
  );
  return new Map(rows.map((row) => [keyOf(row), row.checksum]));
}

function keyOf(migration: { readonly module: string; readonly name: string }): string {
  return `${migration.module}/${migration.name}`;
}

function checkApplied(applied: ReadonlyMap<string, string>, known: readonly Migration[]): void {
  const checksums = new Map(known.map((migration) => [keyOf(migration), migration.checksum]));
  for (const [key, checksum] of applied) {
    const wanted = checksums.get(key);
    if (wanted === undefined) {
      throw databaseErrors.error(
        "migration-unknown",
        `Cannot use this database: found migration ${key}, which this version does not have; start the newer version that made it`,
        { values: { migration: key } },
      );
    }
    if (wanted !== checksum) {
      throw databaseErrors.error(
        "migration-changed",
        `Cannot use this database: migration ${key} was applied with another text (${checksum.slice(0, 12)}, now ${wanted.slice(0, 12)}); add a new migration instead of changing one`,
        { values: { migration: key } },
      );
    }
  }
}

async function apply(client: Client, migration: Migration, appRole: string): Promise<void> {
  try {
    await client.query("begin");
    await client.query("select set_config('mainstay.app_role', $1, true)", [appRole]);
    await client.query(migration.text);
    await client.query("insert into mainstay.migration (module, name, checksum) values ($1, $2, $3)", [
      migration.module,
      migration.name,
      migration.checksum,
    ]);
    await client.query("commit");
  } catch (cause) {
    await client.query("rollback").catch(() => undefined);
    throw databaseErrors.error(
      "migration-failed",
      `Cannot apply migration ${keyOf(migration)}: ${messageOf(cause)}`,
      {
        cause,
        values: { migration: keyOf(migration) },
      },
    );
  }
}
