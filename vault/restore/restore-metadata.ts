/** What is not content: links and special files, owners, modes, attributes and times of a restored tree. */

import { execFile, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { chmod, lchown, lutimes, rename, rm, symlink } from "node:fs/promises";
import { promisify } from "node:util";
import { eachAtOnce, messageOf, systemCodeOf } from "@mainstay/kit";
import { permissionsOf } from "../format/file-mode.ts";
import type { TreeNode } from "../format/tree.ts";

export type RestoredEntry = { readonly path: Buffer; readonly node: TreeNode };

/** What could not be set, and why; the restore goes on. */
export type NotSet = { readonly path: string; readonly reason: string };

type Say = (path: Buffer | string, reason: string) => void;

const run = promisify(execFile);

/** More than the runtime's four threads for files, so that none of them waits for the next call. */
export const ENTRIES_AT_ONCE_MAX = 16;

/** Makes symbolic links, pipes and device files. */
export async function makeSpecials(
  entries: readonly RestoredEntry[],
  target: Buffer,
  say: Say,
): Promise<void> {
  for (const entry of entries) {
    await makeSpecial(entry, target).catch((cause: unknown) => say(entry.path, messageOf(cause)));
  }
}

/** `entries` with parents before what they hold. Attributes come after owners, which clear some; times come last of all. */
export async function setMetadata(entries: readonly RestoredEntry[], say: Say): Promise<void> {
  const present = entries.filter(({ node }) => node.type !== "socket" && node.type !== "irregular");
  const attempt = async (path: Buffer, set: () => Promise<void>): Promise<void> => {
    await set().catch((cause: unknown) => say(path, messageOf(cause)));
  };
  if (process.getuid?.() === 0) {
    await eachAtOnce(present, ENTRIES_AT_ONCE_MAX, ({ path, node }) =>
      attempt(path, () => lchown(path, node.uid, node.gid)),
    );
  }
  await setAttributes(present, say);
  const finish = async ({ path, node }: RestoredEntry): Promise<void> => {
    if (node.type !== "symlink") await attempt(path, () => chmod(path, permissionsOf(node.mode)));
    await attempt(path, () => lutimes(path, secondsOf(node.atime), secondsOf(node.mtime)));
  };
  // From the inside out: a folder may lose its write permission, and its time changes with what is put into it.
  const [folders, others] = partition(present, ({ node }) => node.type === "dir");
  await eachAtOnce(others, ENTRIES_AT_ONCE_MAX, finish);
  for (const folder of folders.toReversed()) await finish(folder);
}

function partition<Item>(items: readonly Item[], isFirst: (item: Item) => boolean): [Item[], Item[]] {
  return [items.filter(isFirst), items.filter((item) => !isFirst(item))];
}

async function makeSpecial({ path, node }: RestoredEntry, target: Buffer): Promise<void> {
  if (node.type === "symlink") return symlink(node.linkTarget ?? Buffer.alloc(0), path);
  if (node.type !== "fifo" && node.type !== "dev" && node.type !== "chardev") return;
  // Arguments of programs must be text, names need not be: made under a plain name, then renamed.
  const made = `${target.toString("utf8")}/.restoring-${randomUUID()}`;
  if (node.type === "fifo") await run("mkfifo", ["-m", "600", "--", made]);
  else {
    const { major, minor } = deviceNumbers(node.device ?? 0);
    const kind = node.type === "dev" ? "b" : "c";
    await run("mknod", ["-m", "600", "--", made, kind, `${major}`, `${minor}`]);
  }
  await rename(made, path).catch(async (cause: unknown) => {
    await rm(made, { force: true });
    throw cause;
  });
}

/** Linux's encoding of `st_rdev`. */
function deviceNumbers(device: number): { major: number; minor: number } {
  const high = Math.floor(device / 2 ** 32);
  return {
    major: ((device >>> 8) & 0xfff) | (high & ~0xfff),
    minor: (device & 0xff) | ((device >>> 12) & 0xfff00),
  };
}

/** All in one run of `setfattr`: Node cannot set attributes, and a process for each file would take longer than the files. */
async function setAttributes(entries: readonly RestoredEntry[], say: Say): Promise<void> {
  const having = entries.filter(({ node }) => (node.extendedAttributes ?? []).length > 0);
  if (having.length === 0) return;
  const child = spawn("setfattr", ["-h", "--restore=-"], { stdio: ["pipe", "ignore", "pipe"] });
  const ended = new Promise<unknown>((resolve) => {
    child.once("error", resolve);
    child.once("close", () => resolve(undefined));
  });
  let errors = "";
  child.stderr.on("data", (text: Buffer) => {
    errors += text.toString("utf8");
  });
  // A program that ends early closes its end of the pipe; why it ended is told by `ended`.
  child.stdin.on("error", () => undefined);
  child.stdin.end(having.map(attributesText).join("\n"));
  const failure = await ended;
  if (failure !== undefined) {
    const missing = systemCodeOf(failure) === "ENOENT";
    const reason = missing
      ? 'no program "setfattr" for extended attributes; install the package attr'
      : messageOf(failure);
    for (const { path } of having) say(path, reason);
  }
  for (const line of errors.split("\n")) {
    const [, path, reason] = /^setfattr: (.*): ([^:]+)$/.exec(line) ?? [];
    if (path !== undefined && reason !== undefined) say(path, `extended attribute: ${reason}`);
    else if (line !== "") say(having[0]?.path ?? "", line);
  }
}

/** The format that `getfattr --dump` writes and `setfattr --restore` reads. */
function attributesText({ path, node }: RestoredEntry): string {
  const lines = (node.extendedAttributes ?? []).map(({ name, value }) =>
    value.length === 0
      ? `${escaped(Buffer.from(name))}=""`
      : `${escaped(Buffer.from(name))}=0x${value.toString("hex")}`,
  );
  return [`# file: ${escaped(path)}`, ...lines, ""].join("\n");
}

/** Every byte that could mean something else, in octal. */
function escaped(bytes: Buffer): string {
  return bytes
    .toString("latin1")
    .replaceAll(/[^A-Za-z0-9/._-]/g, (byte) => `\\${byte.charCodeAt(0).toString(8).padStart(3, "0")}`);
}

/** Node takes seconds as a double, which keeps microseconds. */
function secondsOf(time: string): number {
  const fraction = /\.(\d+)/.exec(time)?.[1] ?? "0";
  return Math.floor(Date.parse(time) / 1000) + Number(`0.${fraction}`);
}
