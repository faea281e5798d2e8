/** Where an NBD server listens: a Unix socket or a TCP port. */

import { nbdErrors } from "./errors.ts";

export type SocketAddress = { readonly path: string } | { readonly host: string; readonly port: number };

/** What Linux takes for the path of a Unix socket, without its final NUL. */
const SOCKET_PATH_BYTES_MAX = 107;

/** Rejects paths that the operating system would cut short or refuse with an unclear error. */
export function checkAddress(address: SocketAddress): void {
  if (!("path" in address)) return;
  const length = Buffer.byteLength(address.path);
  if (length <= SOCKET_PATH_BYTES_MAX) return;
  throw nbdErrors.error(
    "path-too-long",
    `Cannot use the socket "${address.path}": found ${length} bytes, wanted at most ${SOCKET_PATH_BYTES_MAX}; choose a shorter path`,
    { values: { path: address.path } },
  );
}

/** The NBD URI that other tools (nbdinfo, qemu-img, fio) take for this address. */
export function nbdUri(address: SocketAddress, exportName = ""): string {
  const name = encodeURIComponent(exportName);
  if ("path" in address) return `nbd+unix:///${name}?socket=${encodeURIComponent(address.path)}`;
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;
  return `nbd://${host}:${address.port}/${name}`;
}

/** For messages. */
export function describeAddress(address: SocketAddress): string {
  return "path" in address ? `unix:${address.path}` : `${address.host}:${address.port}`;
}
