/** Serving a disk of a restore point over NBD; with an overlay, as a disk that can be written. */

import type { BlockDevice } from "@mainstay/nbd";
import { serveNbd } from "@mainstay/nbd";
import {
  findSnapshot,
  loadIndex,
  openContent,
  openReader,
  type ContentReader,
  type Repository,
  type Snapshot,
} from "@mainstay/vault";
import { openOverlay, type Overlay } from "../overlay/overlay.ts";
import { loadBootTrace, readAhead, recordBootTrace, saveBootTrace, type BootTrace } from "./boot-trace.ts";
import { createPointDevice } from "./point-device.ts";
import { parsePointName } from "./point-name.ts";

type ServeOptions = {
  readonly repository: Repository;
  /** A unix socket's path. */
  readonly socket: string;
  /** File that takes the writes; without it the disk is read-only. */
  readonly overlay?: string | undefined;
  /** File in which the order of the first reads is kept; what an earlier run left there is read ahead. */
  readonly bootTrace?: string | undefined;
  readonly signal?: AbortSignal | undefined;
};

export type ServePointOptions = ServeOptions & {
  /** `POINT`, `POINT:DISK` or `POINT:/path/in/it`. */
  readonly point: string;
};

export type ServeDiskOptions = ServeOptions & {
  readonly snapshot: Snapshot;
  /** See `openContent`. */
  readonly path?: string | undefined;
};

export type ServedDisk = AsyncDisposable & {
  readonly snapshot: Snapshot;
  readonly sizeBytes: number;
  readonly socket: string;
  readonly device: BlockDevice;
  readonly reader: ContentReader;
  readonly overlay?: Overlay | undefined;
  /** Resolves when the disk was first read from. */
  readonly firstRead: Promise<void>;
};

/**
 * Finds the restore point, loads the index, and serves. The repository stays the caller's.
 *
 * Errors: `vault.no-such-point` and others of the vault, `overlay.*`, `nbd.*`.
 */
export async function servePoint(options: ServePointOptions): Promise<ServedDisk> {
  const { repository, signal } = options;
  const { point, path } = parsePointName(options.point);
  const [snapshot] = await Promise.all([
    findSnapshot(repository, point, signal),
    loadIndex(repository, signal),
  ]);
  return serveDisk({ ...options, snapshot, path });
}

/** Resolves when the socket takes connections. The index must be loaded. Errors: as {@link servePoint}. */
export async function serveDisk(options: ServeDiskOptions): Promise<ServedDisk> {
  const { repository, snapshot, path, socket, signal } = options;
  const reader = openReader(repository, await openContent(repository, snapshot, path, signal));
  await using stack = new AsyncDisposableStack();
  const trace = recordBootTrace();
  const device = createPointDevice(reader, trace);
  if (options.bootTrace !== undefined) await startReadingAhead(stack, options.bootTrace, reader, trace);
  let overlay: Overlay | undefined;
  if (options.overlay !== undefined) {
    const identity = `${repository.config.id}/${snapshot.id}/${path ?? ""}`;
    overlay = stack.use(await openOverlay({ base: device, identity, path: options.overlay }));
  }
  const served = overlay ?? device;
  stack.use(await serveNbd({ exports: served, listen: { path: socket } }));
  const held = stack.move();
  return {
    snapshot,
    sizeBytes: reader.sizeBytes,
    socket,
    device: served,
    reader,
    overlay,
    firstRead: device.firstRead,
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}

async function startReadingAhead(
  stack: AsyncDisposableStack,
  path: string,
  reader: ContentReader,
  trace: BootTrace,
): Promise<void> {
  const steps = await loadBootTrace(path);
  const ended = new AbortController();
  const reading = readAhead(reader, steps, ended.signal);
  stack.defer(async () => {
    ended.abort();
    await reading;
    // A trace that cannot be kept costs the next boot some time and nothing else.
    await saveBootTrace(path, trace).catch(() => undefined);
  });
}
