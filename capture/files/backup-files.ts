/** Backing up files and folders, laid out as restic lays them out, so that both deduplicate against each other. */

import { lstat, open, readdir, readFile, readlink } from "node:fs/promises";
import { hostname as machineName, userInfo } from "node:os";
import { resolve } from "node:path";
import { messageOf, systemClock, systemCodeOf, type Clock } from "@mainstay/kit";
import {
  listSnapshots,
  loadIndex,
  lockRepository,
  openWriter,
  saveSnapshot,
  type BlobWriter,
  type ObjectId,
  type Repository,
  type Snapshot,
  type TreeNode,
  type WriteFigures,
} from "@mainstay/vault";
import { captureErrors } from "../errors.ts";
import { adoptPacks } from "../adopt-packs.ts";
import { PROGRAM_VERSION } from "../program-version.ts";
import type { OnProgress } from "../progress.ts";
import { createContentStream, STREAM_BUFFER_BYTES, type ContentStream } from "./content-stream.ts";
import { nodeOf, parseIdNames, type IdNames } from "./file-node.ts";
import { openParentFolder, type ParentFolder } from "./parent-folder.ts";

export type BackupFilesOptions = {
  readonly repository: Repository;
  /** Files and folders; made absolute. */
  readonly paths: readonly string[];
  /** By default the newest restore point of the same paths from this host. */
  readonly parent?: Snapshot | undefined;
  readonly hostname?: string | undefined;
  readonly tags?: readonly string[] | undefined;
  readonly clock?: Clock | undefined;
  readonly onProgress?: OnProgress | undefined;
  readonly signal?: AbortSignal | undefined;
};

export type FilesResult = WriteFigures & {
  readonly snapshot: Snapshot;
  readonly parent?: ObjectId | undefined;
  readonly files: number;
  readonly folders: number;
  /** Bytes of file content read; unchanged files are not read. */
  readonly readBytes: number;
  readonly durationMs: number;
  /** What could not be read; the restore point lacks it. */
  readonly unreadable: readonly { readonly path: string; readonly reason: string }[];
};

/** What a walk carries along. */
type Walk = {
  readonly options: BackupFilesOptions;
  readonly writer: BlobWriter;
  readonly stream: ContentStream;
  readonly names: IdNames;
  readonly unreadable: { path: string; reason: string }[];
  files: number;
  folders: number;
  readBytes: number;
  seenBytes: number;
};

const SLASH = Buffer.from("/");

/**
 * Makes one restore point of the paths.
 *
 * Errors: `capture.source-missing` if a path is not there; `vault.*`; the signal's reason. A file within that cannot be
 * read does not stop the backup: it is named in `unreadable`.
 */
export async function backupFiles(options: BackupFilesOptions): Promise<FilesResult> {
  const { repository, signal, clock = systemClock } = options;
  const startMs = clock.monotonicMs();
  const paths = options.paths.map((path) => resolve(path));
  await checkPaths(paths);
  await using lock = await lockRepository(repository, "shared", clock);
  await loadIndex(repository, signal);
  const writer = openWriter(repository, { bufferBytes: STREAM_BUFFER_BYTES, signal });
  try {
    if (lock.foundAbandoned) await adoptPacks(repository, writer, signal);
    const parent = options.parent ?? (await findParent(options, paths));
    const stream = createContentStream(writer, repository.config.polynomial, signal);
    const walk: Walk = {
      options,
      writer,
      stream,
      names: await readIdNames(),
      unreadable: [],
      files: 0,
      folders: 0,
      readBytes: 0,
      seenBytes: 0,
    };
    const parentRoot = parent === undefined ? undefined : openParentFolder(repository, parent.tree);
    const root = await storeAncestors(
      walk,
      SLASH,
      paths.map((path) => path.split("/").filter((part) => part !== "")),
      parentRoot,
    );
    await stream.flush();
    const tree = await root.value;
    const figures = await writer.finish();
    const snapshot = await saveSnapshot(repository, snapshotOf(options, paths, tree, parent, clock));
    const { files, folders, readBytes, unreadable } = walk;
    const durationMs = clock.monotonicMs() - startMs;
    return { ...figures, snapshot, parent: parent?.id, files, folders, readBytes, durationMs, unreadable };
  } catch (cause) {
    await writer.abandon();
    throw cause;
  }
}

/** A promise inside an object: the walk goes on while content is stored, and an `await` must not wait for it. */
type Later<Value> = { readonly value: Promise<Value> };

function later<Value>(value: Promise<Value> | Value): Later<Value> {
  const promise = Promise.resolve(value);
  // A failure is thrown by the stream, at the latest by its flush; until then nobody may be waiting here.
  promise.catch(() => undefined);
  return { value: promise };
}

/** The folders above the wanted paths, which hold nothing but the way to them. */
async function storeAncestors(
  walk: Walk,
  folder: Buffer,
  wanted: readonly (readonly string[])[],
  parent: ParentFolder | undefined,
): Promise<Later<ObjectId>> {
  if (wanted.some((parts) => parts.length === 0)) return storeFolder(walk, folder, parent);
  const nodes: Promise<TreeNode | undefined>[] = [];
  for (const [first, below] of Map.groupBy(wanted, (parts) => parts[0] ?? "")) {
    const rest = below.map((parts) => parts.slice(1));
    const path = join(folder, Buffer.from(first));
    const isWanted = rest.some((parts) => parts.length === 0);
    if (isWanted) nodes.push((await storeEntry(walk, folder, Buffer.from(first), parent)).value);
    else {
      const node = nodeOf(Buffer.from(first), await lstat(path, { bigint: true }), walk.names);
      const subtree = await storeAncestors(walk, path, rest, await parent?.folder(node.name));
      nodes.push(later(subtree.value.then((id) => ({ ...node, subtree: id }))).value);
    }
  }
  return later(storeNodes(walk, nodes));
}

async function storeFolder(
  walk: Walk,
  path: Buffer,
  parent: ParentFolder | undefined,
): Promise<Later<ObjectId>> {
  const nodes: Promise<TreeNode | undefined>[] = [];
  for (const name of (await readdir(path, { encoding: "buffer" })).sort(Buffer.compare)) {
    walk.options.signal?.throwIfAborted();
    nodes.push((await storeEntry(walk, path, name, parent)).value);
  }
  walk.folders += 1;
  return later(storeNodes(walk, nodes));
}

async function storeEntry(
  walk: Walk,
  folder: Buffer,
  name: Buffer,
  parent: ParentFolder | undefined,
): Promise<Later<TreeNode | undefined>> {
  const path = join(folder, name);
  try {
    const node = nodeOf(name, await lstat(path, { bigint: true }), walk.names);
    if (node.type === "dir") {
      const subtree = await storeFolder(walk, path, await parent?.folder(name));
      return later(subtree.value.then((id) => ({ ...node, subtree: id })));
    }
    if (node.type === "symlink") {
      const linkTarget = await readlink(path, { encoding: "buffer" });
      return later({ ...node, linkTarget });
    }
    if (node.type !== "file") return later(node);
    walk.files += 1;
    return await storeFile(walk, path, node, await parent?.file(name));
  } catch (cause) {
    walk.options.signal?.throwIfAborted();
    // What a person or another program did to this entry is not a failure of the backup; anything else is.
    if (systemCodeOf(cause) === undefined) throw cause;
    walk.unreadable.push({ path: path.toString("utf8"), reason: messageOf(cause) });
    return later(undefined);
  }
}

async function storeFile(
  walk: Walk,
  path: Buffer,
  node: TreeNode,
  before: TreeNode | undefined,
): Promise<Later<TreeNode>> {
  if (before !== undefined && isUnchanged(walk.options.repository, node, before)) {
    noteBytes(walk, node.size ?? 0);
    return later({ ...node, content: before.content });
  }
  const file = await open(path, "r");
  try {
    const { stored } = await walk.stream.add(file, (count) => {
      walk.readBytes += count;
      noteBytes(walk, count);
    });
    // The size is what was read: the file may have grown since it was looked at.
    return later(stored.then(({ content, sizeBytes }) => ({ ...node, size: sizeBytes, content })));
  } finally {
    await file.close();
  }
}

async function storeNodes(walk: Walk, nodes: readonly Promise<TreeNode | undefined>[]): Promise<ObjectId> {
  const present = (await Promise.all(nodes)).filter((node) => node !== undefined);
  return walk.writer.storeTree(present);
}

/** restic's rule: same size, same times, same inode, and every blob still there. */
function isUnchanged(repository: Repository, node: TreeNode, before: TreeNode): boolean {
  return (
    before.type === "file" &&
    before.size === node.size &&
    before.mtime === node.mtime &&
    before.ctime === node.ctime &&
    before.inode === node.inode &&
    (before.content ?? []).every((id) => repository.table.has(id, "data"))
  );
}

function noteBytes(walk: Walk, count: number): void {
  walk.seenBytes += count;
  walk.options.onProgress?.({ phase: "reading", doneBytes: walk.seenBytes, totalBytes: undefined });
}

function join(folder: Buffer, name: Buffer): Buffer {
  return folder.equals(SLASH) ? Buffer.concat([SLASH, name]) : Buffer.concat([folder, SLASH, name]);
}

async function checkPaths(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    await lstat(path).catch((cause: unknown) => {
      throw captureErrors.error(
        "source-missing",
        `Cannot back up ${path}: ${messageOf(cause)}; correct the path`,
        {
          cause,
          values: { path },
        },
      );
    });
  }
}

async function readIdNames(): Promise<IdNames> {
  const read = (path: string) => readFile(path, "utf8").then(parseIdNames, () => new Map<number, string>());
  const [users, groups] = await Promise.all([read("/etc/passwd"), read("/etc/group")]);
  return { users, groups };
}

async function findParent(
  options: BackupFilesOptions,
  paths: readonly string[],
): Promise<Snapshot | undefined> {
  const host = options.hostname ?? machineName();
  const wanted = [...paths].sort().join("\0");
  const all = await listSnapshots(options.repository, options.signal);
  return all.findLast(
    (snapshot) => snapshot.hostname === host && [...snapshot.paths].sort().join("\0") === wanted,
  );
}

function snapshotOf(
  options: BackupFilesOptions,
  paths: readonly string[],
  tree: ObjectId,
  parent: Snapshot | undefined,
  clock: Clock,
) {
  return {
    time: clock.now().toISOString(),
    tree,
    parent: parent?.id,
    paths,
    hostname: options.hostname ?? machineName(),
    username: userInfo().username,
    tags: options.tags ?? [],
    programVersion: PROGRAM_VERSION,
  };
}
