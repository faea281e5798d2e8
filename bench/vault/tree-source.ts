/** A tree of real files: parts of this system's /usr, many small ones and some large. */

import {
  appendFile,
  copyFile,
  cp,
  lstat,
  mkdir,
  open,
  readdir,
  readlink,
  rename,
  rm,
  symlink,
  utimes,
} from "node:fs/promises";
import { dirname, join } from "node:path";
import { runProgram } from "../measure/program-run.ts";
import { seededRandom, type Random } from "../measure/seeded-random.ts";

/** Copied in this order until there is enough: programs, documentation and texts, headers, libraries. */
const PARTS = [
  "bin",
  "share",
  "include",
  "libexec",
  "sbin",
  "lib/python3",
  "lib/python3.11",
  "lib/gcc",
  "lib",
];
const CHANGED_PER_THOUSAND = 30;

/** Fills `folder` with about `bytesWanted` of files, or with all of /usr if that is less. */
export async function collectTree(folder: string, bytesWanted: number): Promise<void> {
  let room = bytesWanted;
  for (const part of PARTS) room = await copyWithin(join("/usr", part), join(folder, part), room);
}

/** Copies entries while there is room; what room is left. */
async function copyWithin(source: string, target: string, room: number): Promise<number> {
  let left = room;
  const names = await readdir(source).catch(() => []);
  for (const name of names.toSorted(compareText)) {
    if (left <= 0) break;
    const [from, to] = [join(source, name), join(target, name)];
    const stats = await lstat(from);
    if (await lstat(to).catch(() => undefined)) continue;
    await mkdir(dirname(to), { recursive: true });
    if (stats.isDirectory()) left = await copyWithin(from, to, left);
    else if (stats.isSymbolicLink()) await symlink(await readlink(from), to);
    else if (stats.isFile()) {
      await copyFile(from, to);
      await utimes(to, stats.atime, stats.mtime);
      left -= stats.size;
    }
  }
  return left;
}

function compareText(left: string, right: string): number {
  return left < right ? -1 : 1;
}

/** Some files in a hundred are changed in the middle, lengthened, replaced by another's content, moved or removed. */
export async function changeTree(folder: string): Promise<void> {
  const random = seededRandom(20_230_701);
  // Not by Node's recursive readdir, which follows links to folders.
  const { output } = await runProgram({ command: "find", words: [folder, "-type", "f", "-print0"] });
  const files = output.split("\0").slice(0, -1).toSorted(compareText);
  for (const [index, file] of files.entries()) {
    if (random.below(1000) < CHANGED_PER_THOUSAND) await changeFile(file, files[index - 1] ?? file, random);
  }
}

async function changeFile(file: string, other: string, random: Random): Promise<void> {
  const text = Buffer.from(`${file} changed ${random.below(2 ** 31)}\n`.repeat(8));
  const way = random.below(10);
  if (way === 0) await rm(file);
  else if (way === 1) await rename(file, `${file}.moved`);
  else if (way === 2 && other !== file) await cp(other, `${file}.new`).catch(() => undefined);
  else if (way <= 5) await appendFile(file, text);
  else {
    const handle = await open(file, "r+");
    await handle.write(text, 0, text.length, random.below((await handle.stat()).size + 1));
    await handle.close();
  }
}

/** Throws unless both hold the same names, contents, owners, modes, links and, to the microsecond or two, times. */
export async function assertSameTree(left: string, right: string): Promise<void> {
  await runProgram({ command: "diff", words: ["-r", "--no-dereference", "--brief", left, right] });
  const [lefts, rights] = [await entriesOf(left), await entriesOf(right)];
  for (const [index, entry] of lefts.entries()) {
    const twin = rights[index];
    if (twin?.facts !== entry.facts || Math.abs(twin.seconds - entry.seconds) > 2e-6)
      throw new Error(
        `Cannot accept the restore: found ${JSON.stringify(twin)}, wanted ${JSON.stringify(entry)}`,
      );
  }
}

type Entry = { readonly facts: string; readonly seconds: number };

async function entriesOf(folder: string): Promise<readonly Entry[]> {
  const words = [folder, "-mindepth", "1", "-printf", String.raw`%P %y %m %U %G %l\t%T@\n`];
  const { output } = await runProgram({ command: "find", words });
  const entries = output
    .trimEnd()
    .split("\n")
    .map((line) => line.split("\t"));
  return entries
    .map(([facts = "", seconds]) => ({ facts, seconds: Number(seconds) }))
    .toSorted((one, other) => (one.facts < other.facts ? -1 : 1));
}
