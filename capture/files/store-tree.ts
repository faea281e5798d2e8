/** Walking the folders of a backup: contents go to the stream, one tree per folder to the repository. */

import { stat } from "node:fs/promises";
import { messageOf, unreachable } from "@mainstay/kit";
import type { BlobWriter, ObjectId, Repository, TreeNode } from "@mainstay/vault";
import type { OnProgress } from "../progress.ts";
import type { ContentSource, ContentStream } from "./content-stream.ts";
import { nodeOf, type IdNames } from "./file-node.ts";
import {
  isOfEntry,
  joinPath,
  listFolder,
  lookAhead,
  lookAt,
  openFile,
  type Listing,
  type LookedAt,
} from "./look-ahead.ts";
import type { ParentFolder } from "./parent-folder.ts";

export type WalkOptions = {
  readonly repository: Repository;
  readonly writer: BlobWriter;
  readonly stream: ContentStream;
  readonly names: IdNames;
  readonly onProgress?: OnProgress | undefined;
  readonly signal?: AbortSignal | undefined;
};

/** What a walk carries along. */
export type Walk = WalkOptions & {
  readonly isUnchanged: (node: TreeNode, before: TreeNode) => boolean;
  readonly unreadable: { path: string; reason: string }[];
  files: number;
  folders: number;
  readBytes: number;
  seenBytes: number;
};

/** A promise inside an object: the walk goes on while content is stored, and an `await` must not wait for it. */
export type Later<Value> = { readonly value: Promise<Value> };

const ROOT = Buffer.from("/");

export function startWalk(options: WalkOptions): Walk {
  const isUnchanged = (node: TreeNode, before: TreeNode): boolean => isSame(options.repository, node, before);
  return { ...options, isUnchanged, unreadable: [], files: 0, folders: 0, readBytes: 0, seenBytes: 0 };
}

/**
 * Stores the wanted paths (each as its parts) and the folders above them; the id of the root's tree, once the stream is
 * flushed. Rejects with what the stream or the repository fails on; what cannot be read is named in `unreadable`.
 */
export function storeRoot(
  walk: Walk,
  wanted: readonly (readonly string[])[],
  parent: ParentFolder | undefined,
): Promise<Later<ObjectId>> {
  return storeAncestors(walk, ROOT, wanted, parent);
}

/** The folders above the wanted paths, which hold nothing but the way to them. */
async function storeAncestors(
  walk: Walk,
  folder: Buffer,
  wanted: readonly (readonly string[])[],
  parent: ParentFolder | undefined,
): Promise<Later<ObjectId>> {
  if (wanted.some((parts) => parts.length === 0))
    return storeFolder(walk, folder, await listFolder(folder, parent));
  const nodes: Promise<TreeNode | undefined>[] = [];
  for (const [first, below] of Map.groupBy(wanted, (parts) => parts[0] ?? "")) {
    const rest = below.map((parts) => parts.slice(1));
    const name = Buffer.from(first);
    const isWanted = rest.some((parts) => parts.length === 0);
    if (isWanted) nodes.push((await storeEntry(walk, await lookAt(walk, folder, name, parent))).value);
    else {
      const path = joinPath(folder, name);
      // A link on the way stands for the folder it leads to, as restic has it.
      const node = nodeOf(name, await stat(path, { bigint: true }), walk.names);
      const subtree = await storeAncestors(walk, path, rest, await parent?.folder(node.name));
      nodes.push(withSubtree(node, subtree).value);
    }
  }
  return later(storeNodes(walk, nodes));
}

async function storeFolder(walk: Walk, path: Buffer, listing: Listing): Promise<Later<ObjectId>> {
  const nodes: Promise<TreeNode | undefined>[] = [];
  for await (const entry of lookAhead(walk, path, listing)) {
    walk.signal?.throwIfAborted();
    nodes.push((await storeEntry(walk, entry)).value);
  }
  walk.folders += 1;
  return later(storeNodes(walk, nodes));
}

async function storeEntry(walk: Walk, entry: LookedAt): Promise<Later<TreeNode | undefined>> {
  if (entry.kind === "unreadable") return leaveOut(walk, entry.path, entry.reason);
  const { node } = entry;
  if (node.type === "file") walk.files += 1;
  switch (entry.kind) {
    case "complete":
      noteBytes(walk, node.size ?? 0);
      return later(node);
    case "folder":
      return withSubtree(node, await storeFolder(walk, entry.path, entry.listing));
    case "content":
      return storeContent(walk, node, sourceOf(entry.bytes));
    case "file":
      return storeFile(walk, node, entry.path);
    default:
      return unreachable(entry);
  }
}

async function storeFile(walk: Walk, node: TreeNode, path: Buffer): Promise<Later<TreeNode | undefined>> {
  try {
    await using file = await openFile(path);
    return await storeContent(walk, node, {
      read: async (target, position) => (await file.read(target, 0, target.length, position)).bytesRead,
    });
  } catch (cause) {
    walk.signal?.throwIfAborted();
    // What a person or another program did to this file is not a failure of the backup; anything else is.
    if (!isOfEntry(cause)) throw cause;
    return leaveOut(walk, path, messageOf(cause));
  }
}

async function storeContent(walk: Walk, node: TreeNode, source: ContentSource): Promise<Later<TreeNode>> {
  const { stored } = await walk.stream.add(source, (count) => {
    walk.readBytes += count;
    noteBytes(walk, count);
  });
  // The size is what was read: the file may have grown since it was looked at.
  return later(stored.then(({ content, sizeBytes }) => ({ ...node, size: sizeBytes, content })));
}

function sourceOf(bytes: Buffer): ContentSource {
  return { read: async (target, position) => bytes.copy(target, 0, position) };
}

function leaveOut(walk: Walk, path: Buffer, reason: string): Later<undefined> {
  walk.unreadable.push({ path: path.toString("utf8"), reason });
  return later(undefined);
}

function withSubtree(node: TreeNode, subtree: Later<ObjectId>): Later<TreeNode> {
  return later(subtree.value.then((id) => ({ ...node, subtree: id })));
}

async function storeNodes(walk: Walk, nodes: readonly Promise<TreeNode | undefined>[]): Promise<ObjectId> {
  const present = (await Promise.all(nodes)).filter((node) => node !== undefined);
  return walk.writer.storeTree(present);
}

/** restic's rule: same size, same times, same inode, and every blob still there. */
function isSame(repository: Repository, node: TreeNode, before: TreeNode): boolean {
  return (
    before.type === "file" &&
    (before.size ?? 0) === (node.size ?? 0) &&
    before.mtime === node.mtime &&
    before.ctime === node.ctime &&
    before.inode === node.inode &&
    (before.content ?? []).every((id) => repository.table.has(id, "data"))
  );
}

function noteBytes(walk: Walk, count: number): void {
  walk.seenBytes += count;
  walk.onProgress?.({ phase: "reading", doneBytes: walk.seenBytes, totalBytes: undefined });
}

function later<Value>(value: Promise<Value> | Value): Later<Value> {
  const promise = Promise.resolve(value);
  // A failure is thrown by the stream, at the latest by its flush; until then nobody may be waiting here.
  promise.catch(() => undefined);
  return { value: promise };
}
