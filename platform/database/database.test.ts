import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { customerId, type CustomerId } from "@mainstay/contract";
import { newUuid } from "@mainstay/kit";
import { platformMigrations } from "../platform.ts";
import { emptyDatabase, testDatabase, type TestDatabase } from "../testing.ts";
import { openDatabase, type Database } from "./database.ts";
import { migrate, type MigrationSource } from "./migrations.ts";
import { describeSchemas, unprotectedTables } from "./schema-golden.ts";
import { allCustomers, scopeOf } from "./scope.ts";

const first: CustomerId = customerId.parse(newUuid());
const second: CustomerId = customerId.parse(newUuid());
const NOTES = `
  select mainstay.open_schema('notes');
  create table notes.note (id serial primary key, customer_id uuid, text text not null);
  select mainstay.protect_by_customer_or_provider('notes.note');
  create table notes.own (customer_id uuid not null, text text not null);
  select mainstay.protect_by_customer('notes.own');`;

let folder: string;
let notes: MigrationSource;
let address: TestDatabase;
let database: Database;

async function sourceOf(name: string, files: Readonly<Record<string, string>>): Promise<MigrationSource> {
  const path = await mkdtemp(join(folder, `${name}-`));
  for (const [file, text] of Object.entries(files)) await writeFile(join(path, file), text);
  return { name, migrations: pathToFileURL(`${path}/`) };
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "mainstay-migrations-"));
  notes = await sourceOf("notes", { "0001-notes.sql": NOTES });
  address = await testDatabase([notes]);
  database = openDatabase(address.app, () => undefined);
  await database.asSystem("fill", async (tx) => {
    for (const id of [first, second])
      await tx.query("insert into notes.own values ($1, $2)", [id, `of ${id}`]);
    await tx.query(
      "insert into notes.note (customer_id, text) values (null, 'provider'), ($1, 'first'), ($2, 'second')",
      [first, second],
    );
  });
});

afterAll(async () => {
  await database.close();
  await address.drop();
  await rm(folder, { recursive: true });
});

test("a query in one customer's scope sees that customer's rows only, whatever it asks for", async () => {
  const rows = await database.inScope(scopeOf(first), (tx) =>
    tx.query<{ text: string }>("select text from notes.own"),
  );
  expect(rows.map((row) => row.text)).toEqual([`of ${first}`]);
  const asked = await database.inScope(scopeOf(first), (tx) =>
    tx.query("select * from notes.own where customer_id = $1 or true", [second]),
  );
  expect(asked).toHaveLength(1);
  expect(await database.inScope(allCustomers, (tx) => tx.query("select 1 from notes.own"))).toHaveLength(2);
  expect(
    await database.inScope(scopeOf(first, second), (tx) => tx.query("select 1 from notes.own")),
  ).toHaveLength(2);
});

test("without a scope the application role sees nothing, also on a connection that had one before", async () => {
  await database.inScope(allCustomers, (tx) => tx.query("select 1"));
  expect((await database.pool.query("select 1 from notes.own")).rowCount).toBe(0);
  expect(await database.inScope(scopeOf(), (tx) => tx.query("select 1 from notes.own"))).toHaveLength(0);
});

test("writing into, moving to, or deleting from another customer fails or touches nothing", async () => {
  const inFirst = (sql: string) => database.inScope(scopeOf(first), (tx) => tx.query(sql, [second]));
  await expect(inFirst("insert into notes.own values ($1, 'x')")).rejects.toThrow(/row-level security/);
  await expect(inFirst("update notes.own set customer_id = $1")).rejects.toThrow(/row-level security/);
  expect(await inFirst("delete from notes.own where customer_id = $1 returning 1")).toHaveLength(0);
});

test("rows of the provider are read in every scope and written by the system only", async () => {
  const read = await database.inScope(scopeOf(first), (tx) =>
    tx.query<{ text: string }>("select text from notes.note order by text"),
  );
  expect(read.map((row) => row.text)).toEqual(["first", "provider"]);
  const write = (tx: { query(sql: string): Promise<readonly unknown[]> }) =>
    tx.query("insert into notes.note (text) values ('x')");
  await expect(database.inScope(scopeOf(first), write)).rejects.toThrow(/row-level security/);
  expect(
    await database.inScope(scopeOf(first), (tx) =>
      tx.query("update notes.note set text = 'x' where customer_id is null returning 1"),
    ),
  ).toHaveLength(0);
});

test("the application role cannot make itself more", async () => {
  const { rows } = await database.pool.query(
    "select rolsuper, rolbypassrls, rolcreaterole from pg_roles where rolname = current_user",
  );
  expect(rows).toEqual([{ rolsuper: false, rolbypassrls: false, rolcreaterole: false }]);
  for (const sql of [
    "alter table notes.own disable row level security",
    "set role mainstay_owner",
    "create table notes.x ()",
    "drop policy customer_scope on notes.own",
  ]) {
    await expect(database.pool.query(sql), sql).rejects.toThrow(/permission denied|must be owner/);
  }
});

test("a failed piece of work leaves nothing and what it wanted after commit does not happen", async () => {
  let told = 0;
  const failing = database.inScope(scopeOf(first), async (tx) => {
    tx.afterCommit(() => (told += 1));
    await tx.query("insert into notes.own values ($1, 'never')", [first]);
    throw new Error("changed my mind");
  });
  await expect(failing).rejects.toThrow("changed my mind");
  expect(told).toBe(0);
  expect(
    await database.asSystem("look", (tx) => tx.query("select 1 from notes.own where text = 'never'")),
  ).toHaveLength(0);
});

test("several servers that start together migrate once", async () => {
  const fresh = await emptyDatabase();
  const options = {
    owner: fresh.owner,
    appRole: { name: fresh.app.user, password: fresh.app.password },
    sources: [platformMigrations, notes],
  };
  const applied = await Promise.all(Array.from({ length: 5 }, () => migrate(options)));
  expect(applied.map((list) => list.length).sort((a, b) => a - b)).toEqual([0, 0, 0, 0, 3]);
  await fresh.drop();
});

test("a migration that was changed, or that only a newer version knows, stops the start", async () => {
  const fresh = await emptyDatabase();
  const withNotes = async (source: MigrationSource[]) =>
    migrate({
      owner: fresh.owner,
      appRole: { name: fresh.app.user, password: fresh.app.password },
      sources: [platformMigrations, ...source],
    });
  await withNotes([notes]);
  const changed = await sourceOf("notes", { "0001-notes.sql": `${NOTES} -- changed` });
  await expect(withNotes([changed])).rejects.toMatchObject({ code: "database.migration-changed" });
  await expect(withNotes([])).rejects.toMatchObject({ code: "database.migration-unknown" });
  const broken = await sourceOf("notes", {
    "0001-notes.sql": NOTES,
    "0002-broken.sql": "create table notes.half (); select 1/0;",
  });
  await expect(withNotes([broken])).rejects.toMatchObject({ code: "database.migration-failed" });
  const repaired = await sourceOf("notes", {
    "0001-notes.sql": NOTES,
    "0002-broken.sql": "create table notes.half ();",
  });
  expect((await withNotes([repaired])).map(({ name }) => name)).toEqual(["0002-broken.sql"]);
  await fresh.drop();
});

test("the platform's schema is the golden one (UPDATE_GOLDEN=1 writes it), and every customer table is protected", async () => {
  const golden = new URL("../migrations/schema.golden.txt", import.meta.url);
  const made = await describeSchemas(database.pool, ["mainstay", "access", "audit"]);
  if (process.env["UPDATE_GOLDEN"] === "1") writeFileSync(golden, made);
  expect(made).toBe(readFileSync(golden, "utf8"));
  expect(await unprotectedTables(database.pool)).toEqual([]);
});
