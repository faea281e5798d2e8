/** A disk image with real content: the sample server's disk, or a file system made of real files. */

import { open, truncate, writeFile, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { fileExtents } from "@mainstay/nbd";
import { buildSampleServer } from "@mainstay/samples";
import { GIB, KIB, MIB } from "@mainstay/kit";
import { runProgram } from "../measure/program-run.ts";
import { seededRandom } from "../measure/seeded-random.ts";

/** A write goes near the last one as often as not: databases write pages of one table after the other. */
const NEAR_BYTES = 2 * MIB;

/** The sample server's small disk, built from Debian packages or out of its cache; its path. */
export async function sampleServerImage(folder: string): Promise<string> {
  const server = await buildSampleServer({ variant: "small", directory: folder });
  return server.diskPath;
}

/** An ext4 image that holds the files of `tree`, with as much free again; its path. */
export async function fileSystemImage(path: string, tree: string, treeBytes: number): Promise<string> {
  await writeFile(path, "");
  await truncate(path, Math.max(GIB, Math.ceil((treeBytes * 2.5) / MIB) * MIB));
  const words = ["-q", "-t", "ext4", "-d", tree, "-E", "lazy_itable_init=1", path];
  await runProgram({ command: "mke2fs", words, folder: dirname(path) });
  return path;
}

/** `writes` writes of 4 to 16 KiB where data lies, then `appendedBytes` of it written anew where there was none. */
export async function changeImage(path: string, writes: number, appendedBytes: number): Promise<void> {
  const extents = (await fileExtents(path)).filter((extent) => extent.kind === "data");
  const holes = (await fileExtents(path)).filter(
    (extent) => extent.kind !== "data" && extent.length > appendedBytes,
  );
  const random = seededRandom(20_230_702);
  const file = await open(path, "r+");
  try {
    let near = 0;
    for (let count = 0; count < writes; count += 1) {
      const extent = extents[random.below(extents.length)];
      if (extent === undefined) throw new Error(`Cannot change ${path}: found no data in it`);
      const anywhere = extent.offset + random.below(Math.ceil(extent.length / (4 * KIB))) * 4 * KIB;
      const start =
        near !== 0 && random.below(2) === 0
          ? near + random.below(NEAR_BYTES / (4 * KIB)) * 4 * KIB
          : anywhere;
      near = anywhere;
      await rewrite(file, start, 4 * KIB * (1 + random.below(4)), count);
    }
    const source = extents.toSorted((left, right) => right.length - left.length)[0];
    const hole = holes[0];
    if (source !== undefined && hole !== undefined)
      await append(file, source.offset, hole.offset, appendedBytes);
  } finally {
    await file.close();
  }
}

/** Changes some words of the page and keeps the rest, as an update of rows does. */
async function rewrite(file: FileHandle, start: number, length: number, count: number): Promise<void> {
  const page = Buffer.alloc(length);
  const { bytesRead } = await file.read(page, 0, length, start);
  if (bytesRead < length) return;
  for (let at = 0; at < length; at += 512) page.writeUInt32LE((count * 2_654_435_761 + at) >>> 0, at);
  await file.write(page, 0, length, start);
}

async function append(file: FileHandle, from: number, to: number, length: number): Promise<void> {
  const bytes = Buffer.alloc(length);
  const { bytesRead } = await file.read(bytes, 0, length, from);
  // Shifted by some bytes, so that no chunk of it is known already.
  await file.write(bytes, 0, bytesRead, to + 4 * KIB);
}
