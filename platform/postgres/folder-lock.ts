/** One server per data folder: a lock that the kernel gives back however its holder ends. */

import { createHash } from "node:crypto";
import { realpath } from "node:fs/promises";
import { createServer } from "node:net";
import { defineErrors, systemCodeOf } from "@mainstay/kit";

export const folderErrors = defineErrors("folder", {
  "in-use": "Another Mainstay runs on this data folder",
});

export type FolderLock = { release(): Promise<void> };

/**
 * Rejects at once when another process holds the folder. The lock is a listening socket in Linux' abstract namespace:
 * it has no file that could be left behind after a kill -9.
 */
export async function lockFolder(folder: string): Promise<FolderLock> {
  const path = await realpath(folder);
  const name = `\0mainstay-${createHash("sha256").update(path).digest("hex").slice(0, 32)}`;
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((done, fail) => {
    server.once("error", (cause) => {
      if (systemCodeOf(cause) !== "EADDRINUSE") return fail(cause);
      fail(
        folderErrors.error(
          "in-use",
          `Cannot use "${path}": another Mainstay runs on it; stop it or choose another --data folder`,
          {
            cause,
            values: { folder: path },
          },
        ),
      );
    });
    server.listen(name, () => done());
  });
  server.unref();
  return { release: () => new Promise((done) => server.close(() => done())) };
}
