/** Restoring files and folders of a restore point into a folder. */

import { link, mkdir, open, readdir, stat, statfs } from "node:fs/promises";
import { eachAtOnce, formatBytes, messageOf, systemCodeOf } from "@mainstay/kit";
import { vaultErrors } from "../errors.ts";
import { idOf, shortId, type ObjectId } from "../format/object-id.ts";
import type { TreeNode } from "../format/tree.ts";
import { missingBlob, readTree } from "../repository/blob-reader.ts";
import type { Repository } from "../repository/repository.ts";
import { fetchBlobs, type Wanted } from "./fetch-blobs.ts";
import {
  ENTRIES_AT_ONCE_MAX,
  makeSpecials,
  setMetadata,
  type NotSet,
  type RestoredEntry,
} from "./restore-metadata.ts";

export type TreeRestorePlan = {
  readonly target: Buffer;
  /** Parents before what they hold. */
  readonly entries: readonly RestoredEntry[];
  readonly files: number;
  readonly dataBytes: number;
};

export type TreeRestoreResult = {
  readonly files: number;
  readonly folders: number;
  readonly writtenBytes: number;
  /** Metadata that could not be set, such as owners when not root, or extended attributes. */
  readonly notSet: readonly NotSet[];
};

const SLASH = Buffer.from("/");

/**
 * Decides what a restore will write below `target`, which must not exist or be an empty folder.
 *
 * Errors: `vault.target-refused`, `vault.target-full`, those of `readTree`.
 */
export async function planTreeRestore(
  repository: Repository,
  tree: ObjectId,
  target: string,
  signal?: AbortSignal,
): Promise<TreeRestorePlan> {
  await checkTarget(target);
  const entries: RestoredEntry[] = [];
  const collect = async (id: ObjectId, folder: Buffer): Promise<void> => {
    const names = new Set<string>();
    for (const node of await readTree(repository, id, signal)) {
      const path = Buffer.concat([folder, SLASH, node.name]);
      if (names.has(node.name.toString("latin1"))) throw namedTwice(id, path);
      names.add(node.name.toString("latin1"));
      entries.push({ path, node });
      // Only folders: what a forged tree puts "below" a link would be written where the link leads.
      if (node.type === "dir" && node.subtree !== undefined) await collect(node.subtree, path);
    }
  };
  const root = Buffer.from(target);
  await collect(tree, root);
  const files = entries.filter(({ node }) => node.type === "file");
  const dataBytes = files.reduce((sum, { node }) => sum + (node.size ?? 0), 0);
  return { target: root, entries, files: files.length, dataBytes };
}

/** Carries the plan out: folders, contents, links, then times and owners from the inside out. */
export async function executeTreeRestore(
  repository: Repository,
  plan: TreeRestorePlan,
  onProgress: (doneBytes: number, totalBytes: number) => void = () => undefined,
  signal?: AbortSignal,
): Promise<TreeRestoreResult> {
  const notSet: NotSet[] = [];
  const say = (path: Buffer | string, reason: string): void =>
    void notSet.push({ path: path.toString(), reason });
  const { firsts, twins } = splitHardLinks(plan.entries);
  const folders = plan.entries.filter(({ node }) => node.type === "dir");
  try {
    await mkdir(plan.target, { recursive: true, mode: 0o700 });
    await checkRoom(repository, plan, firsts);
    for (const { path } of folders) await mkdir(path, { mode: 0o700 });
    const writtenBytes = await writeContents(repository, firsts, plan.dataBytes, onProgress, signal);
    for (const { path, first } of twins) await link(first, path);
    signal?.throwIfAborted();
    await makeSpecials(plan.entries, plan.target, say);
    await setMetadata(plan.entries, say);
    return { files: plan.files, folders: folders.length, writtenBytes, notSet };
  } catch (cause) {
    throw systemCodeOf(cause) === "ENOSPC" ? full(plan.target.toString(), cause) : cause;
  }
}

type HardLinks = {
  readonly firsts: readonly RestoredEntry[];
  readonly twins: readonly { readonly path: Buffer; readonly first: Buffer }[];
};

function splitHardLinks(entries: readonly RestoredEntry[]): HardLinks {
  const firsts: RestoredEntry[] = [];
  const twins: { path: Buffer; first: Buffer }[] = [];
  const known = new Map<string, Buffer>();
  for (const entry of entries) {
    const { node, path } = entry;
    if (node.type !== "file") continue;
    const key =
      (node.links ?? 1) > 1 && node.inode !== undefined ? `${node.deviceId}:${node.inode}` : undefined;
    const first = key === undefined ? undefined : known.get(key);
    if (first !== undefined) {
      twins.push({ path, first });
      continue;
    }
    if (key !== undefined) known.set(key, path);
    firsts.push(entry);
  }
  return { firsts, twins };
}

async function writeContents(
  repository: Repository,
  files: readonly RestoredEntry[],
  totalBytes: number,
  onProgress: (doneBytes: number, totalBytes: number) => void,
  signal?: AbortSignal,
): Promise<number> {
  const wanted: Wanted[] = [];
  await eachAtOnce(files, ENTRIES_AT_ONCE_MAX, async ({ path, node }) => {
    signal?.throwIfAborted();
    const { sizeBytes, isMade } = layOut(repository, path, node, wanted);
    if (!isMade) return;
    await using file = await open(path, "wx", 0o600);
    // To its full length at once: blobs of zeros are never written, and stay holes.
    if (sizeBytes > 0) await file.truncate(sizeBytes);
  });
  let written = 0;
  await fetchBlobs(repository, wanted, {
    signal,
    onWritten: (count) => {
      written += count;
      onProgress(written, totalBytes);
    },
  });
  return written;
}

type Laid = {
  readonly sizeBytes: number;
  /** Whether the file must be there before its blobs come; one that is a single blob is made with it. */
  readonly isMade: boolean;
};

/** Adds the file's blobs to `wanted`, but for those of zeros. */
function layOut(repository: Repository, path: Buffer, node: TreeNode, wanted: Wanted[]): Laid {
  const content = node.content ?? [];
  const [only] = content;
  if (only !== undefined && content.length === 1) {
    const sizeBytes = lengthOf(repository, only);
    if (only === zeroIdOf(sizeBytes)) return { sizeBytes, isMade: true };
    wanted.push({ id: only, place: { file: { kind: "new", path: path.toString("latin1") }, start: 0 } });
    return { sizeBytes, isMade: false };
  }
  const file = { kind: "existing", path: path.toString("latin1") } as const;
  let start = 0;
  for (const id of content) {
    const length = lengthOf(repository, id);
    if (id !== zeroIdOf(length)) wanted.push({ id, place: { file, start } });
    start += length;
  }
  return { sizeBytes: start, isMade: true };
}

function lengthOf(repository: Repository, id: ObjectId): number {
  const length = repository.table.plainLength(id, "data");
  if (length === undefined) throw missingBlob(repository, "data", id);
  return length;
}

const zeroIds = new Map<number, ObjectId>();

/** Lengths that restic gives to runs of zeros, and ours; computing it for every length would hash every file again. */
function zeroIdOf(length: number): ObjectId | undefined {
  if (length < 256 * 1024 || (length & (length - 1)) !== 0) return undefined;
  const known = zeroIds.get(length) ?? idOf(Buffer.alloc(length));
  zeroIds.set(length, known);
  return known;
}

async function checkTarget(target: string): Promise<void> {
  const stats = await stat(target).catch((cause: unknown) => {
    if (systemCodeOf(cause) === "ENOENT") return undefined;
    throw refused(target, messageOf(cause), cause);
  });
  if (stats === undefined) return;
  if (!stats.isDirectory()) throw refused(target, "it is not a folder");
  if ((await readdir(target)).length > 0) throw refused(target, "the folder is not empty");
}

async function checkRoom(
  repository: Repository,
  plan: TreeRestorePlan,
  files: readonly RestoredEntry[],
): Promise<void> {
  const wanted: Wanted[] = [];
  for (const { path, node } of files) layOut(repository, path, node, wanted);
  const neededBytes = wanted.reduce(
    (sum, { id }) => sum + (repository.table.plainLength(id, "data") ?? 0),
    0,
  );
  const { bavail, bsize } = await statfs(plan.target);
  if (bavail * bsize >= neededBytes) return;
  throw vaultErrors.error(
    "target-full",
    `Cannot restore to ${plan.target.toString()}: it needs ${formatBytes(neededBytes)} and ${formatBytes(bavail * bsize)} are free; choose a target with more room`,
    { values: { target: plan.target.toString(), neededBytes, freeBytes: bavail * bsize } },
  );
}

function refused(target: string, why: string, cause?: unknown): Error {
  return vaultErrors.error(
    "target-refused",
    `Cannot restore to ${target}: ${why}; choose a new or empty folder`,
    {
      cause,
      values: { target },
    },
  );
}

/** A file system takes one; which of the two an older reader saw is anybody's guess. */
function namedTwice(tree: ObjectId, path: Buffer): Error {
  return vaultErrors.error(
    "damaged-tree",
    `Cannot restore ${path.toString()}: directory ${shortId(tree)} has two entries of that name; restore from another restore point`,
    { values: { tree } },
  );
}

function full(path: string, cause: unknown): Error {
  return vaultErrors.error(
    "target-full",
    `Cannot restore ${path}: no room is left; free some and start again`,
    { cause },
  );
}
