/** Serves block devices to NBD clients over a Unix socket or TCP. */

import { chmod, rm } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";

import { must, systemCodeOf } from "@mainstay/kit";

import type { BlockDevice } from "./block-device.ts";
import { nbdErrors } from "./errors.ts";
import { type Exports, shakeHands } from "./server-handshake.ts";
import {
  DEFAULT_LIMITS,
  type DeviceFailure,
  Transmission,
  type TransmissionLimits,
} from "./server-transmission.ts";
import { checkAddress, describeAddress, nbdUri, type SocketAddress } from "./socket-address.ts";
import { Wire } from "./wire.ts";

const CONNECTIONS_MAX = 256;
const HANDSHAKE_TIMEOUT_MS = 30_000;
const DRAIN_TIMEOUT_MS = 10_000;
/** Guests' disks are nobody else's business. */
const SOCKET_MODE = 0o600;

export type ServeNbdOptions = {
  /** One device, served under the empty name, or devices by export name. */
  readonly exports: BlockDevice | ReadonlyMap<string, BlockDevice>;
  /** Port 0 takes a free port. A socket file that nobody listens on any more is replaced. */
  readonly listen: SocketAddress;
  readonly connectionsMax?: number;
  readonly limits?: Partial<TransmissionLimits>;
  readonly handshakeTimeoutMs?: number;
  /** How long `close` waits for requests under way before it drops the connections. */
  readonly drainTimeoutMs?: number;
  /** Called for each request that a device failed; the client gets an I/O error in any case. */
  readonly onDeviceFailure?: (failure: DeviceFailure) => void;
};

export type NbdServer = AsyncDisposable & {
  readonly address: SocketAddress;
  /** How many clients are connected now. */
  readonly connections: number;
  /** The address of an export for other tools. */
  uri(exportName?: string): string;
  /** Answers what is under way, then ends all connections. May be called twice. The devices stay open. */
  close(): Promise<void>;
};

type Connection = { readonly wire: Wire; transmission: Transmission | undefined };

/** Listens and serves until closed. Rejects with `nbd.address-in-use` or `nbd.path-too-long`. */
export async function serveNbd(options: ServeNbdOptions): Promise<NbdServer> {
  checkAddress(options.listen);
  const exports: Exports = "read" in options.exports ? new Map([["", options.exports]]) : options.exports;
  const connections = new Set<Connection>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    void serveConnection(socket, exports, options, connections);
  });
  server.maxConnections = options.connectionsMax ?? CONNECTIONS_MAX;
  const address = await listen(server, options.listen);
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closing ??= closeAll(server, connections, options.drainTimeoutMs ?? DRAIN_TIMEOUT_MS);
    return closing;
  };
  return {
    address,
    get connections() {
      return connections.size;
    },
    uri: (exportName) => nbdUri(address, exportName),
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function serveConnection(
  socket: Socket,
  exports: Exports,
  options: ServeNbdOptions,
  connections: Set<Connection>,
): Promise<void> {
  const connection: Connection = { wire: new Wire(socket), transmission: undefined };
  connections.add(connection);
  const { wire } = connection;
  const timer = setTimeout(() => wire.destroy(), options.handshakeTimeoutMs ?? HANDSHAKE_TIMEOUT_MS);
  try {
    const session = await shakeHands(wire, exports);
    clearTimeout(timer);
    if (session === undefined) {
      socket.end(() => wire.destroy());
      return;
    }
    connection.transmission = new Transmission(wire, session, {
      limits: { ...DEFAULT_LIMITS, ...options.limits },
      onDeviceFailure: options.onDeviceFailure ?? (() => {}),
    });
  } catch {
    // The client left in the middle of the handshake.
    wire.destroy();
  } finally {
    clearTimeout(timer);
    await wire.closed;
    connections.delete(connection);
  }
}

async function listen(server: Server, wanted: SocketAddress): Promise<SocketAddress> {
  try {
    await startListening(server, wanted);
  } catch (cause) {
    const isStale = systemCodeOf(cause) === "EADDRINUSE" && "path" in wanted && !(await answers(wanted.path));
    if (!isStale) throw addressInUse(wanted, cause);
    await rm(wanted.path, { force: true });
    await startListening(server, wanted);
  }
  if ("path" in wanted) {
    await chmod(wanted.path, SOCKET_MODE);
    return wanted;
  }
  const bound = must(server.address(), "a listening server has an address");
  return typeof bound === "string" ? { path: bound } : { host: wanted.host, port: bound.port };
}

function startListening(server: Server, address: SocketAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(
      "path" in address ? { path: address.path } : { host: address.host, port: address.port },
      () => {
        server.off("error", reject);
        resolve();
      },
    );
  });
}

/** Whether somebody listens on the socket file. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path }, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

function addressInUse(address: SocketAddress, cause: unknown): Error {
  return nbdErrors.error(
    "address-in-use",
    `Cannot listen on ${describeAddress(address)}: found ${systemCodeOf(cause) ?? "an error"}, wanted a free address; choose another, or end what uses it`,
    { cause, values: { address } },
  );
}

async function closeAll(server: Server, connections: Set<Connection>, drainTimeoutMs: number): Promise<void> {
  for (const connection of connections) {
    if (connection.transmission === undefined) connection.wire.destroy();
    else connection.transmission.drain();
  }
  const timer = setTimeout(() => {
    for (const connection of connections) connection.wire.destroy();
  }, drainTimeoutMs);
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  await Promise.all([...connections].map((connection) => connection.wire.closed));
  clearTimeout(timer);
}
