/** One server per data folder: a lock that the kernel gives back however its holder ends. */

import { createHash } from "node:crypto";
import { realpath } from "node:fs/promises";
import { createServer } from "node:net";
import { retry, systemCodeOf } from "@mainstay/kit";
import { folderErrors } from "./errors.ts";

export type FolderLock = { release(): Promise<void> };

/** A process that was just killed holds its sockets until the kernel has taken it apart. */
const PATIENCE_MS = 3_000;
const PAUSE_MS = 50;

/**
 * Rejects when another process holds the folder and keeps it. The lock is a listening socket in Linux' abstract
 * namespace: it has no file that could be left behind after a kill -9.
 */
export async function lockFolder(folder: string): Promise<FolderLock> {
  const path = await realpath(folder);
  const name = `\0mainstay-${createHash("sha256").update(path).digest("hex").slice(0, 32)}`;
  return retry(() => listenOn(name, path), {
    attemptsMax: PATIENCE_MS / PAUSE_MS,
    firstPauseMs: PAUSE_MS,
    pauseMaxMs: PAUSE_MS,
    random: () => 1,
    isTransient: (cause) => folderErrors.is(cause, "in-use"),
  });
}

async function listenOn(name: string, path: string): Promise<FolderLock> {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((done, fail) => {
    server.once("error", (cause) => fail(systemCodeOf(cause) === "EADDRINUSE" ? inUse(path, cause) : cause));
    server.listen(name, () => done());
  });
  server.unref();
  return { release: () => new Promise((done) => server.close(() => done())) };
}

function inUse(path: string, cause: unknown): Error {
  return folderErrors.error(
    "in-use",
    `Cannot use "${path}": another Mainstay runs on it; stop it or choose another --data folder`,
    { cause, values: { folder: path } },
  );
}
