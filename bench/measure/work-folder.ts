/** A folder of the bench's own, gone with all that is in it when the bench ends. */

import { rmSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

export type WorkFolder = AsyncDisposable & { readonly path: string };

/** In `MAINSTAY_BENCH_FOLDER`, or in the system's folder for temporary files. */
export async function makeWorkFolder(): Promise<WorkFolder> {
  const parent = process.env["MAINSTAY_BENCH_FOLDER"] ?? tmpdir();
  await mkdir(parent, { recursive: true });
  const path = await mkdtemp(join(parent, "mainstay-bench-"));
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      rmSync(path, { recursive: true, force: true });
      process.exit(1);
    });
  }
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** The length of all files in the folder and below. */
export async function folderBytes(folder: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) bytes += (await stat(join(entry.parentPath, entry.name))).size;
  }
  return bytes;
}
