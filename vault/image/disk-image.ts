/** A disk image inside a restore point: its layout now, its segments when asked for. */

import { vaultErrors } from "../errors.ts";
import { shortId, type ObjectId } from "../format/object-id.ts";
import type { Snapshot } from "../format/snapshot.ts";
import type { TreeNode } from "../format/tree.ts";
import { readTree } from "../repository/blob-reader.ts";
import type { Repository } from "../repository/repository.ts";
import {
  CHUNKS_PER_SEGMENT,
  DISKS_FOLDER,
  layoutWith,
  SEGMENT_FILE,
  segmentNumber,
  type ImageLayout,
} from "./layout.ts";

export type DiskImage = {
  readonly name: string;
  readonly layout: ImageLayout;
  /** The tree of the segment's folder; `undefined` beyond the last. */
  segmentTree(segment: number): Promise<ObjectId | undefined>;
  /** The chunk ids of the segment, in order. Kept for the next call. */
  segmentChunks(segment: number): Promise<readonly ObjectId[]>;
};

/** Segments whose chunk lists are kept; each takes about 100 KB. */
const SEGMENTS_KEPT_MAX = 512;

/** The images of a restore point; none if it is of another kind. */
export async function listImages(
  repository: Repository,
  snapshot: Snapshot,
  signal?: AbortSignal,
): Promise<readonly DiskImage[]> {
  const root = await readTree(repository, snapshot.tree, signal);
  const disks = folderIn(root, DISKS_FOLDER);
  if (disks === undefined) return [];
  const images: DiskImage[] = [];
  for (const disk of await readTree(repository, disks, signal)) {
    if (disk.subtree === undefined) continue;
    const image = await openImageTree(repository, disk.name.toString("utf8"), disk.subtree, signal);
    if (image !== undefined) images.push(image);
  }
  return images;
}

/** The image called `name`, or the only one. Errors: `vault.not-an-image`, `vault.no-such-path`. */
export async function openImage(
  repository: Repository,
  snapshot: Snapshot,
  name?: string,
  signal?: AbortSignal,
): Promise<DiskImage> {
  const images = await listImages(repository, snapshot, signal);
  const point = shortId(snapshot.id);
  if (images.length === 0) {
    throw vaultErrors.error(
      "not-an-image",
      `Cannot open a disk of restore point ${point}: it holds files; name one as ${point}:/path/in/it`,
      { values: { point: snapshot.id } },
    );
  }
  const names = images.map((image) => image.name).join(", ");
  const found =
    name === undefined && images.length === 1 ? images[0] : images.find((image) => image.name === name);
  if (found !== undefined) return found;
  throw vaultErrors.error(
    "no-such-path",
    `Cannot open disk "${name ?? ""}" of restore point ${point}: it has ${names}; choose one as ${point}:NAME`,
    { values: { point: snapshot.id, disks: images.map((image) => image.name) } },
  );
}

/** `undefined` if the folder is not laid out as an image. */
async function openImageTree(
  repository: Repository,
  name: string,
  tree: ObjectId,
  signal?: AbortSignal,
): Promise<DiskImage | undefined> {
  const folders = await readTree(repository, tree, signal);
  const segments: ObjectId[] = [];
  for (const [index, folder] of folders.entries()) {
    if (folder.subtree === undefined || segmentNumber(folder.name.toString("utf8")) !== index)
      return undefined;
    segments.push(folder.subtree);
  }
  const layout = await layoutOf(repository, segments, signal);
  if (layout === undefined) return undefined;
  const kept = new Map<number, readonly ObjectId[]>();
  return {
    name,
    layout,
    segmentTree: async (segment) => segments[segment],
    segmentChunks: async (segment) => {
      const known = kept.get(segment);
      if (known !== undefined) return known;
      const subtree = segments[segment];
      const content = subtree === undefined ? [] : ((await segmentNode(repository, subtree))?.content ?? []);
      const [oldest] = kept.keys();
      if (kept.size >= SEGMENTS_KEPT_MAX && oldest !== undefined) kept.delete(oldest);
      kept.set(segment, content);
      return content;
    },
  };
}

async function layoutOf(
  repository: Repository,
  segments: readonly ObjectId[],
  signal?: AbortSignal,
): Promise<ImageLayout | undefined> {
  const [first, last] = [segments[0], segments.at(-1)];
  if (first === undefined || last === undefined) return layoutWith(0, 1);
  const firstNode = await segmentNode(repository, first, signal);
  const lastNode = first === last ? firstNode : await segmentNode(repository, last, signal);
  if (firstNode?.size === undefined || lastNode?.size === undefined) return undefined;
  const firstChunk = firstNode.content?.[0];
  const chunkBytes =
    segments.length > 1
      ? firstNode.size / CHUNKS_PER_SEGMENT
      : firstChunk === undefined
        ? undefined
        : repository.table.plainLength(firstChunk, "data");
  if (chunkBytes === undefined || !Number.isInteger(chunkBytes)) return undefined;
  const segmentBytes = chunkBytes * CHUNKS_PER_SEGMENT;
  return layoutWith((segments.length - 1) * segmentBytes + lastNode.size, chunkBytes);
}

async function segmentNode(
  repository: Repository,
  tree: ObjectId,
  signal?: AbortSignal,
): Promise<TreeNode | undefined> {
  const nodes = await readTree(repository, tree, signal);
  return nodes.find((node) => node.name.toString("utf8") === SEGMENT_FILE && node.type === "file");
}

function folderIn(nodes: readonly TreeNode[], name: string): ObjectId | undefined {
  return nodes.find((node) => node.name.toString("utf8") === name)?.subtree;
}
