/**
 * Built things by name: made once, whole or not at all, by one process at a time.
 *
 * An entry is a folder. It is filled under another name and renamed when done, so a folder of the entry's name is always
 * complete, whatever was killed while. What a killed build left is swept away by the next one of that name.
 */

import { createHash } from "node:crypto";
import { mkdir, readdir, rename, rm, stat, utimes } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { homedir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { systemCodeOf } from "@mainstay/kit";

export type CacheEntryRequest = {
  readonly folder: string;
  readonly key: string;
  /** Fills the empty folder it is given; the entry exists once this resolves. */
  readonly fill: (entryFolder: string) => Promise<void>;
  readonly signal?: AbortSignal | undefined;
  /** Told once, if another process is building this entry and is waited for. */
  readonly onWaiting?: (() => void) | undefined;
};

const WAIT_MS = 200;

/** Entries that nobody asked for so long are of a recipe that is gone; a disk takes gigabytes. */
const UNUSED_MS_MAX = 7 * 24 * 60 * 60_000;

export function defaultCacheFolder(environment: NodeJS.ProcessEnv = process.env): string {
  return path.join(environment["XDG_CACHE_HOME"] || path.join(homedir(), ".cache"), "mainstay", "samples");
}

/** The entry's folder, filled now or earlier. Rejects as `fill` does; then there is no entry. Treat its content as read-only. */
export async function cacheEntry(request: CacheEntryRequest): Promise<string> {
  const entry = path.join(request.folder, request.key);
  await mkdir(request.folder, { recursive: true });
  const turn = await takeTurn(entry, request);
  try {
    if (!(await exists(entry))) await fillEntry(entry, request);
    await utimes(entry, new Date(), new Date());
    await sweep(request.folder);
  } finally {
    await close(turn);
  }
  return entry;
}

async function fillEntry(entry: string, request: CacheEntryRequest): Promise<void> {
  const partial = `${entry}.partial`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial);
  try {
    await request.fill(partial);
    await rename(partial, entry);
  } catch (cause) {
    await rm(partial, { recursive: true, force: true });
    throw cause;
  }
}

async function sweep(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const entry = path.join(folder, name);
    // Another process may be sweeping the same one away.
    const used = await stat(entry).catch(() => undefined);
    if (used !== undefined && Date.now() - used.mtimeMs > UNUSED_MS_MAX)
      await rm(entry, { recursive: true, force: true });
  }
}

/**
 * Waits for the right to build `entry`. The right is a listening socket in Linux's abstract namespace: the kernel gives a name
 * to one process at a time and takes it back when that process is gone, so no lock is ever left behind.
 */
async function takeTurn(entry: string, request: CacheEntryRequest): Promise<Server> {
  const name = `\0mainstay-samples-${createHash("sha256").update(path.resolve(entry)).digest("hex").slice(0, 32)}`;
  for (let attempt = 1; ; attempt += 1) {
    request.signal?.throwIfAborted();
    const server = await listen(name);
    if (server !== undefined) return server;
    if (attempt === 1) request.onWaiting?.();
    await sleep(WAIT_MS, undefined, { signal: request.signal });
  }
}

async function listen(name: string): Promise<Server | undefined> {
  const listening = Promise.withResolvers<Server | undefined>();
  const server = createServer((connection) => connection.destroy());
  server.on("error", (cause) => {
    if (systemCodeOf(cause) === "EADDRINUSE") listening.resolve(undefined);
    else listening.reject(cause);
  });
  server.listen(name, () => listening.resolve(server));
  return listening.promise;
}

async function close(server: Server): Promise<void> {
  const closed = Promise.withResolvers<void>();
  server.close(() => closed.resolve());
  return closed.promise;
}

async function exists(place: string): Promise<boolean> {
  try {
    await stat(place);
    return true;
  } catch (cause) {
    if (systemCodeOf(cause) === "ENOENT") return false;
    throw cause;
  }
}
