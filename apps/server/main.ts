/** The server as one value: started on a data folder, stopped in order, safe to kill at any point. */

import {
  accessHandlers,
  authenticate,
  createHttpServer,
  liveSocket,
  makeSetUpLink,
  openPlatform,
  type HttpServer,
  type Listen,
  type OpenedPlatform,
} from "@mainstay/platform";
import { assert, type Clock } from "@mainstay/kit";
import manifest from "./package.json" with { type: "json" };
import { signInLinkFor } from "./admin.ts";
import { createModules, declarations, type StandingModules } from "./modules.ts";
import { removeRunningFile, writeRunningFile } from "./running-file.ts";

const DEFAULT_LISTEN: Listen = { host: "127.0.0.1", port: 8443 };

export type ServerOptions = {
  /** Made when it is not there. One server at a time. */
  readonly dataDirectory: string;
  /** Port 0 takes a free one. */
  readonly listen?: Listen;
  /** What this installation is called on the set-up page and by peers. */
  readonly name?: string;
  /** `https://host:port` as agents and peers reach it; the listening address when left out. */
  readonly publicAddress?: string;
  /** The built console; left out: only the API. */
  readonly consoleFolder?: string;
  /** DATABASE_URL and PG_BIN_DIR are read from it. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly clock?: Clock;
  /** `off` for tests: the last transactions may be lost at a power cut. */
  readonly durability?: "on" | "off";
  /** One line each. */
  readonly log?: (text: string) => void;
};

export type RunningServer = {
  /** `https://host:port`. */
  readonly address: string;
  readonly certificateSha256: string;
  /** The identity key that agents pin, base64url. */
  readonly identity: string;
  /** The whole link that makes the first owner; undefined once there is one. */
  readonly setUpLink: string | undefined;
  /** A whole one-time sign-in link for the user of `email`, or the first owner. */
  makeSignInLink(email?: string): Promise<string>;
  /** Ends requests, work and PostgreSQL in this order. May be called twice. */
  stop(): Promise<void>;
};

/** Rejects with a typed error and leaves nothing running. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const log = options.log ?? ((text) => void process.stderr.write(`${text}\n`));
  const opened = new AsyncDisposableStack();
  try {
    const place = addressHolder(options);
    const platform = await openPlatform({
      dataDirectory: options.dataDirectory,
      name: options.name ?? "Mainstay",
      version: manifest.version,
      hosts: [(options.listen ?? DEFAULT_LISTEN).host],
      sources: declarations,
      environment: options.environment ?? process.env,
      address: place.read,
      log,
      ...(options.clock === undefined ? {} : { clock: options.clock }),
      ...(options.durability === undefined ? {} : { durability: options.durability }),
    });
    opened.defer(() => platform.close());
    const standing = await createModules(platform);
    const http = await createHttp(platform, standing, options.consoleFolder);
    await startModules(standing, opened);
    opened.defer(() => http.close());
    place.set(await http.listen(options.listen ?? DEFAULT_LISTEN));
    return await announceServer(platform, opened);
  } catch (cause) {
    await opened.disposeAsync();
    throw cause;
  }
}

/** The address is known once the server listens, and wanted by parts that are made before. */
function addressHolder({ publicAddress }: ServerOptions) {
  let address = publicAddress;
  return {
    read: (): string => {
      assert(address !== undefined, "the address is asked for after the server listens");
      return address;
    },
    set: ({ host, port }: Listen): void => {
      address ??= `https://${host.includes(":") ? `[${host}]` : host}:${port}`;
    },
  };
}

async function createHttp(
  platform: OpenedPlatform,
  standing: StandingModules,
  consoleFolder: string | undefined,
): Promise<HttpServer> {
  const { identity, keys } = platform;
  const { modules } = standing;
  const access = accessHandlers({
    ...platform,
    wrapper: keys.wrapper,
    serverName: identity.name,
    version: identity.version,
  });
  const peers = modules.find((part) => part.authenticatePeer !== undefined);
  return createHttpServer({
    tls: identity.certificate,
    handlers: [access, ...modules.map((part) => part.handlers)],
    authenticators: {
      user: (token) => authenticate(platform, token),
      peer: async (id, secret) => peers?.authenticatePeer?.(id, secret),
    },
    rawMounts: modules.flatMap((part) => part.rawMounts ?? []),
    sockets: [
      liveSocket(platform.live),
      ...standing.sockets,
      ...modules.flatMap((part) => part.sockets ?? []),
    ],
    consoleFolder,
    log: platform.log,
  });
}

async function startModules({ modules }: StandingModules, opened: AsyncDisposableStack): Promise<void> {
  for (const part of modules) {
    opened.defer(async () => part.stop?.());
    await part.start?.();
  }
}

async function announceServer(
  platform: OpenedPlatform,
  opened: AsyncDisposableStack,
): Promise<RunningServer> {
  const { database, clock, identity, dataDirectory } = platform;
  const address = identity.address();
  const setUp = await database.asSystem("make set-up link", (tx) => makeSetUpLink(tx, clock));
  await writeRunningFile(dataDirectory, {
    pid: process.pid,
    address,
    certificateSha256: identity.certificate.sha256,
    database: platform.databasePlace,
  });
  opened.defer(() => removeRunningFile(dataDirectory));
  return {
    address,
    certificateSha256: identity.certificate.sha256,
    identity: identity.key.publicKey,
    setUpLink: setUp === undefined ? undefined : `${address}${setUp.path}`,
    makeSignInLink: (email) => signInLinkFor(database, address, email),
    stop: () => opened.disposeAsync(),
  };
}
