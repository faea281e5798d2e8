/** A file system entry as a tree's node. */

import type { BigIntStats } from "node:fs";
import { goModeOf, type NodeType, type TreeNode } from "@mainstay/vault";

/** Everything but content, subtree and link target. */
export function nodeOf(name: Buffer, stats: BigIntStats, names: IdNames): TreeNode {
  const type = typeOf(stats);
  const uid = Number(stats.uid);
  const gid = Number(stats.gid);
  const mtime = timeText(stats.mtimeNs);
  return {
    name,
    type,
    mode: goModeOf(Number(stats.mode)),
    mtime,
    // As restic does by default: a tree must not differ because somebody read a file in it.
    atime: mtime,
    ctime: timeText(stats.ctimeNs),
    uid,
    gid,
    user: names.users.get(uid),
    group: names.groups.get(gid),
    inode: Number(stats.ino),
    deviceId: Number(stats.dev),
    links: type === "dir" ? undefined : Number(stats.nlink),
    size: type === "file" ? Number(stats.size) : undefined,
    device: type === "dev" || type === "chardev" ? Number(stats.rdev) : undefined,
  };
}

/** Names of users and groups by number. */
export type IdNames = {
  readonly users: ReadonlyMap<number, string>;
  readonly groups: ReadonlyMap<number, string>;
};

/** From the text of `/etc/passwd` or `/etc/group`. */
export function parseIdNames(text: string): ReadonlyMap<number, string> {
  const names = new Map<number, string>();
  for (const line of text.split("\n")) {
    const [name, , id] = line.split(":");
    if (name && id !== undefined && /^\d+$/.test(id) && !names.has(Number(id))) names.set(Number(id), name);
  }
  return names;
}

function typeOf(stats: BigIntStats): NodeType {
  if (stats.isFile()) return "file";
  if (stats.isDirectory()) return "dir";
  if (stats.isSymbolicLink()) return "symlink";
  if (stats.isBlockDevice()) return "dev";
  if (stats.isCharacterDevice()) return "chardev";
  if (stats.isFIFO()) return "fifo";
  return "socket";
}

/** Nanoseconds since 1970 → RFC 3339 with as many digits as it needs. */
function timeText(nanoseconds: bigint): string {
  const seconds = nanoseconds / 1_000_000_000n - (nanoseconds % 1_000_000_000n < 0n ? 1n : 0n);
  const rest = nanoseconds - seconds * 1_000_000_000n;
  const whole = new Date(Number(seconds) * 1000).toISOString().slice(0, 19);
  const fraction = rest === 0n ? "" : `.${rest.toString().padStart(9, "0").replace(/0+$/, "")}`;
  return `${whole}${fraction}Z`;
}
