/** What a writer leaves behind when it is killed: files under a temporary name, which no reader ever looks at. */

import { readdir, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "@mainstay/kit";

/** Between a file's own name and a random end; the mark that restic itself uses. */
export const LEFTOVER_MARK = "-tmp-";

/**
 * A file of another living writer must stay. No write takes a day, so what was last written longer ago has no writer;
 * and a clock that is wrong by less than that does no harm.
 */
const AGE_MS_MIN = 24 * 60 * 60 * 1000;

const NAME_PATTERN = /^(?:config|[0-9a-f]{64})-tmp-[0-9a-f]+$/;

/** Removes old leftovers. Never fails: they are in nobody's way, and another process may be quicker. */
export async function removeLeftovers(root: string, clock: Clock): Promise<void> {
  const packs = (await namesOf(join(root, "data"))).map((name) => join(root, "data", name));
  const others = ["keys", "locks", "snapshots", "index"].map((kind) => join(root, kind));
  for (const folder of [root, ...others, ...packs]) {
    const names = await namesOf(folder);
    for (const name of names) if (NAME_PATTERN.test(name)) await removeIfOld(join(folder, name), clock);
  }
}

async function namesOf(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => []);
}

async function removeIfOld(path: string, clock: Clock): Promise<void> {
  try {
    const { mtimeMs } = await stat(path);
    if (clock.now().getTime() - mtimeMs > AGE_MS_MIN) await unlink(path);
  } catch {
    // Gone already, or not ours to remove.
  }
}
