/** The database this server works with: the embedded one, or the one that DATABASE_URL names. */

import { Client } from "pg";
import { messageOf } from "@mainstay/kit";
import type { DatabaseAddress } from "../database/database.ts";
import { databaseErrors } from "../database/errors.ts";
import type { KeyFolder } from "../secrets/key-folder.ts";
import { startEmbeddedPostgres, type ConnectionPlace } from "./embedded.ts";

const DATABASE = "mainstay";
const DEFAULT_PORT = 5432;

export type OpenedPostgres = {
  /** Of the role that owns the tables; for migrations. */
  readonly owner: DatabaseAddress;
  /** Of the role that the application works as. */
  readonly app: DatabaseAddress;
  readonly kind: "embedded" | "given";
  stop(): Promise<void>;
};

export type PostgresOptions = {
  readonly dataDirectory: string;
  readonly keys: KeyFolder;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly durability: "on" | "off";
  readonly log: (text: string) => void;
};

export async function openPostgres(options: PostgresOptions): Promise<OpenedPostgres> {
  const url = options.environment["DATABASE_URL"];
  const appPassword = await options.keys.password("database-app");
  if (url !== undefined && url !== "") return givenPostgres(url, appPassword);
  const embedded = await startEmbeddedPostgres({
    dataDirectory: options.dataDirectory,
    password: await options.keys.password("database-owner"),
    environment: options.environment,
    durability: options.durability,
    log: options.log,
  });
  try {
    await ensureDatabase(embedded.connection, DATABASE);
  } catch (cause) {
    await embedded.stop();
    throw cause;
  }
  return {
    ...addressesIn(embedded.connection, DATABASE, appPassword),
    kind: "embedded",
    stop: () => embedded.stop(),
  };
}

export function addressesIn(place: ConnectionPlace, database: string, appPassword: string) {
  return {
    owner: { ...place, database },
    app: { ...place, database, user: "mainstay_app", password: appPassword },
  };
}

async function ensureDatabase(place: ConnectionPlace, name: string): Promise<void> {
  const client = new Client({ ...place, database: "postgres" });
  await client.connect();
  try {
    const { rowCount } = await client.query("select 1 from pg_database where datname = $1", [name]);
    if (rowCount === 0) await client.query(`create database ${client.escapeIdentifier(name)}`);
  } finally {
    await client.end();
  }
}

/** The role of the URL owns the tables and needs CREATEROLE, for the application's own role. */
async function givenPostgres(url: string, appPassword: string): Promise<OpenedPostgres> {
  const owner = addressOf(url);
  const client = new Client(owner);
  try {
    await client.connect();
  } catch (cause) {
    throw databaseErrors.error(
      "unreachable",
      `Cannot reach the database of DATABASE_URL: ${messageOf(cause)}; check the address and that it runs`,
      {
        cause,
      },
    );
  }
  await client.end();
  // Roles belong to the whole cluster, which may hold other Mainstays: so the name of the database is in it.
  const app = { ...owner, user: `${owner.database}_app`, password: appPassword };
  return { owner, app, kind: "given", stop: () => Promise.resolve() };
}

function addressOf(text: string): DatabaseAddress {
  const url = parseUrl(text);
  const database = decodeURIComponent(url.pathname.slice(1));
  return {
    // postgresql:///mainstay?host=/run/postgresql names a unix socket.
    host: url.searchParams.get("host") ?? url.hostname,
    port: Number(url.port === "" ? DEFAULT_PORT : url.port),
    database: database === "" ? DATABASE : database,
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
  };
}

function parseUrl(text: string): URL {
  try {
    const url = new URL(text);
    if (/^postgres(ql)?:$/.test(url.protocol)) return url;
  } catch {
    // Told below, in the same words.
  }
  throw databaseErrors.error(
    "unreachable",
    "Cannot read DATABASE_URL; wanted postgresql://USER:PASSWORD@HOST:PORT/DATABASE",
  );
}
