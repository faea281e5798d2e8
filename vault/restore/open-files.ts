/** A few files held open for writing: blobs arrive in the order of the packs, not of the files. */

import { open, type FileHandle } from "node:fs/promises";

export type OpenFiles = AsyncDisposable & {
  /** Writes all of `bytes` at `start`. */
  write(path: Buffer, bytes: Uint8Array, start: number): Promise<void>;
};

const OPEN_MAX = 128;

type Held = { readonly handle: Promise<FileHandle>; users: number };

export function openFiles(): OpenFiles {
  /** In the order of last use. */
  const held = new Map<string, Held>();

  const take = (path: Buffer): Held => {
    // latin1 keeps every byte apart, which UTF-8 would not for names that are not UTF-8.
    const key = path.toString("latin1");
    const file = held.get(key) ?? { handle: opened(path), users: 0 };
    held.delete(key);
    held.set(key, file);
    file.users += 1;
    return file;
  };

  const closeOldest = async (): Promise<void> => {
    for (const [key, file] of held) {
      if (held.size <= OPEN_MAX) return;
      if (file.users > 0) continue;
      held.delete(key);
      await (await file.handle).close();
    }
  };

  return {
    write: async (path, bytes, start) => {
      const file = take(path);
      try {
        const handle = await file.handle;
        for (let at = 0; at < bytes.length;) {
          at += (await handle.write(bytes, at, bytes.length - at, start + at)).bytesWritten;
        }
      } finally {
        file.users -= 1;
      }
      await closeOldest();
    },
    [Symbol.asyncDispose]: async () => {
      const closed = await Promise.allSettled(
        [...held.values()].map(async ({ handle }) => (await handle).close()),
      );
      // A network file system may tell only here that it could not keep what was written.
      const failed = closed.find((result) => result.status === "rejected");
      if (failed !== undefined) throw failed.reason;
    },
  };
}

function opened(path: Buffer): Promise<FileHandle> {
  const handle = open(path, "r+");
  // Whoever writes hears of a failure; the closing at the end must not be the first to do so.
  handle.catch(() => undefined);
  return handle;
}
