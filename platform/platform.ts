/** What every module stands on, opened in order and closed in the opposite one. */

import { chmod, mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { systemClock, type Clock } from "@mainstay/kit";
import { checkReachable, openDatabase, type Database, type DatabaseAddress } from "./database/database.ts";
import { migrate, type MigrationSource } from "./database/migrations.ts";
import { createDomainEvents, type DomainEvents } from "./events/domain.ts";
import { startLiveEvents, type LiveEvents } from "./events/live.ts";
import { startJobs, type Jobs } from "./jobs/jobs.ts";
import { lockFolder } from "./postgres/folder-lock.ts";
import { openPostgres } from "./postgres/open.ts";
import { openKeyFolder, type KeyFolder, type SigningKey } from "./secrets/key-folder.ts";
import { openCertificate, type Certificate } from "./tls/certificate.ts";

export const platformMigrations: MigrationSource = {
  name: "mainstay",
  migrations: new URL("./migrations/", import.meta.url),
};

/** This server, as agents, peers and links know it. */
export type ServerIdentity = {
  readonly name: string;
  readonly version: string;
  /** Ed25519; agents pin its public part. */
  readonly key: SigningKey;
  readonly certificate: Certificate;
  /** `https://host:port`; known once it listens, and an assertion before. */
  address(): string;
};

export type Platform = {
  readonly dataDirectory: string;
  readonly clock: Clock;
  readonly database: Database;
  readonly jobs: Jobs;
  readonly live: LiveEvents;
  readonly events: DomainEvents;
  readonly keys: KeyFolder;
  readonly identity: ServerIdentity;
  readonly log: (text: string) => void;
};

export type PlatformOptions = {
  readonly dataDirectory: string;
  readonly name: string;
  readonly version: string;
  /** Names and addresses that the certificate should hold. */
  readonly hosts: readonly string[];
  readonly sources: readonly MigrationSource[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly address: () => string;
  readonly clock?: Clock;
  readonly durability?: "on" | "off";
  readonly log: (text: string) => void;
};

export type OpenedPlatform = Platform & {
  /** Where the application role connects, without its password. */
  readonly databasePlace: Omit<DatabaseAddress, "password">;
  close(): Promise<void>;
};

/** Rejects with a typed error and leaves nothing running. */
export async function openPlatform(options: PlatformOptions): Promise<OpenedPlatform> {
  const dataDirectory = await makeDataDirectory(options.dataDirectory);
  const opened = new AsyncDisposableStack();
  try {
    const lock = await lockFolder(dataDirectory);
    opened.defer(() => lock.release());
    const keys = await openKeyFolder(join(dataDirectory, "keys"));
    const postgres = await openPostgres({
      ...options,
      dataDirectory,
      keys,
      durability: options.durability ?? "on",
    });
    opened.defer(() => postgres.stop());
    await migrate({
      owner: postgres.owner,
      appRole: { name: postgres.app.user, password: postgres.app.password },
      sources: [platformMigrations, ...options.sources],
    });
    const data = await openData(postgres, opened, options.log);
    const identity: ServerIdentity = {
      name: options.name,
      version: options.version,
      key: await keys.signingKey("identity"),
      certificate: await openCertificate(join(dataDirectory, "keys"), options.hosts),
      address: options.address,
    };
    const clock = options.clock ?? systemClock;
    return {
      ...data,
      databasePlace: placeOf(postgres.app),
      dataDirectory,
      clock,
      events: createDomainEvents(),
      keys,
      identity,
      log: options.log,
      close: () => opened.disposeAsync(),
    };
  } catch (cause) {
    await opened.disposeAsync();
    throw cause;
  }
}

export function placeOf({ host, port, database, user }: DatabaseAddress): Omit<DatabaseAddress, "password"> {
  return { host, port, database, user };
}

type Addresses = { readonly owner: DatabaseAddress; readonly app: DatabaseAddress };

/** Database, live events and jobs, on a migrated database. */
export async function openData(
  addresses: Addresses,
  opened: AsyncDisposableStack,
  log: (text: string) => void,
): Promise<Pick<Platform, "database" | "live" | "jobs">> {
  const database = openDatabase(addresses.app, log);
  opened.defer(() => database.close());
  await checkReachable(database);
  const live = await startLiveEvents(database, addresses.app, log);
  opened.defer(() => live.stop());
  const jobs = await startJobs({ ...addresses, log });
  opened.defer(() => jobs.stop());
  return { database, live, jobs };
}

async function makeDataDirectory(path: string): Promise<string> {
  const directory = resolve(path);
  await mkdir(directory, { recursive: true, mode: 0o711 });
  // PostgreSQL's user must be able to pass through; what is secret has folders of its own.
  if (process.getuid?.() === 0) await chmod(directory, 0o711);
  return directory;
}
