/** A vault over HTTP or HTTPS on the loopback, for the tests of its clients. */

import { mkdtemp, rm } from "node:fs/promises";
import { createServer as createHttpServer, type RequestListener } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRestVault, type VaultAccess } from "@mainstay/platform";

export type VaultServer = {
  readonly folder: string;
  /** Without credentials, with a slash at the end. */
  readonly url: string;
  /** As `restic -r` and `openBackend` take it. */
  readonly location: string;
  setMode(mode: "full" | "append-only"): void;
  /** From now on there is room for so many bytes more. */
  leaveRoom(sizeBytes: number): void;
  close(): Promise<void>;
};

/** One device's repository; user `device`, password `secret`. With `tls` (key and certificate in PEM) over HTTPS. */
export async function startVaultServer(tls?: {
  readonly key: string;
  readonly cert: string;
}): Promise<VaultServer> {
  const folder = await mkdtemp(join(tmpdir(), "e2e-vault-"));
  let mode: "full" | "append-only" = "full";
  let roomBytes = Infinity;
  const vault = createRestVault({
    authorize: ({ user, password, repository }): VaultAccess => {
      if (user !== "device" || password !== "secret") return { kind: "unknown" };
      if (repository !== "device") return { kind: "forbidden" };
      return { kind: "allowed", folder: join(folder, "device"), mode, mayStore: (size) => size <= roomBytes };
    },
    onStored: ({ sizeBytes }) => {
      roomBytes -= sizeBytes;
    },
  });
  const listener: RequestListener = (request, response) => void vault(request, response);
  const server = tls === undefined ? createHttpServer(listener) : createHttpsServer(tls, listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const port = portOf(server);
  const scheme = tls === undefined ? "http" : "https";
  return {
    folder: join(folder, "device"),
    url: `${scheme}://127.0.0.1:${port}/device/`,
    location: `rest:${scheme}://device:secret@127.0.0.1:${port}/device/`,
    setMode: (wanted) => {
      mode = wanted;
    },
    leaveRoom: (sizeBytes) => {
      roomBytes = sizeBytes;
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The port that a listening server was given. */
export function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server listens on no port");
  return address.port;
}
