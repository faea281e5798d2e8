/** A disk image inside a restore point: its layout now, its segments when asked for. */

import { vaultErrors } from "../errors.ts";
import { shortId, type ObjectId } from "../format/object-id.ts";
import type { Snapshot } from "../format/snapshot.ts";
import type { TreeNode } from "../format/tree.ts";
import { missingBlob, readTree } from "../repository/blob-reader.ts";
import type { Repository } from "../repository/repository.ts";
import {
  chunkBytesHolding,
  chunkLength,
  CHUNKS_PER_SEGMENT,
  chunksIn,
  DISKS_FOLDER,
  layoutWith,
  segmentLength,
  SEGMENT_FILE,
  IMAGE_BYTES_MAX,
  segmentNumber,
  type ImageLayout,
} from "./layout.ts";

export type DiskImage = {
  readonly name: string;
  readonly layout: ImageLayout;
  /** The tree of the segment's folder; `undefined` beyond the last. */
  segmentTree(segment: number): Promise<ObjectId | undefined>;
  /**
   * The chunk ids of the segment, in order, each of the length that its place wants. Kept for the next call.
   *
   * Errors: those of `readTree`; `vault.missing-blob`; `vault.damaged-tree` if the segment is not laid out as the disk.
   */
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
  const load = async (segment: number): Promise<readonly ObjectId[]> => {
    const subtree = segments[segment];
    const file = subtree === undefined ? undefined : await segmentNode(repository, subtree);
    checkSegment(repository, layout, segment, file);
    return file?.content ?? [];
  };
  return {
    name,
    layout,
    segmentTree: async (segment) => segments[segment],
    segmentChunks: keepingLatest(load),
  };
}

/** `load`, remembering what it gave for the last few hundred segments asked for. */
function keepingLatest(
  load: (segment: number) => Promise<readonly ObjectId[]>,
): (segment: number) => Promise<readonly ObjectId[]> {
  const kept = new Map<number, Promise<readonly ObjectId[]>>();
  return (segment) => {
    const known = kept.get(segment);
    if (known !== undefined) return known;
    const loading = load(segment);
    // A failure may pass; it is not remembered.
    loading.catch(() => kept.delete(segment));
    const [oldest] = kept.keys();
    if (kept.size >= SEGMENTS_KEPT_MAX && oldest !== undefined) kept.delete(oldest);
    kept.set(segment, loading);
    return loading;
  };
}

/**
 * A tree that only looks like an image, or a chunk of another length, would shift all that follows: that is refused here, before
 * any byte is given out.
 */
function checkSegment(
  repository: Repository,
  layout: ImageLayout,
  segment: number,
  file: TreeNode | undefined,
): asserts file is TreeNode {
  const content = file?.content ?? [];
  const wanted = chunksIn(layout, segment);
  if (file?.size !== segmentLength(layout, segment) || content.length !== wanted) {
    throw damagedSegment(
      segment,
      `it has ${file?.size} bytes in ${content.length} chunks, wanted ${segmentLength(layout, segment)} in ${wanted}`,
    );
  }
  for (const [index, id] of content.entries()) {
    const foundBytes = repository.table.plainLength(id, "data");
    if (foundBytes === undefined) throw missingBlob(repository, "data", id);
    const wantedBytes = chunkLength(layout, segment * CHUNKS_PER_SEGMENT + index);
    if (foundBytes !== wantedBytes) {
      throw damagedSegment(segment, `its chunk ${index} has ${foundBytes} bytes, wanted ${wantedBytes}`);
    }
  }
}

function damagedSegment(segment: number, why: string): Error {
  return vaultErrors.error(
    "damaged-tree",
    `Cannot read segment ${segment} of the disk: ${why}; restore from another restore point`,
    { values: { segment } },
  );
}

/** `undefined` if the first and last segment do not tell one. */
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
  const chunkBytes = chunkBytesOf(repository, segments.length, firstNode);
  if (chunkBytes === undefined || !Number.isInteger(chunkBytes) || chunkBytes < 1) return undefined;
  const layout = layoutWith(
    (segments.length - 1) * chunkBytes * CHUNKS_PER_SEGMENT + lastNode.size,
    chunkBytes,
  );
  const isWhole = layout.segmentCount === segments.length && layout.sizeBytes <= IMAGE_BYTES_MAX;
  return isWhole && firstNode.content?.length === chunksIn(layout, 0) ? layout : undefined;
}

function chunkBytesOf(repository: Repository, segmentCount: number, first: TreeNode): number | undefined {
  if (segmentCount > 1) return (first.size ?? 0) / CHUNKS_PER_SEGMENT;
  const [chunk, second] = first.content ?? [];
  if (chunk === undefined) return undefined;
  return second === undefined
    ? chunkBytesHolding(first.size ?? 0)
    : repository.table.plainLength(chunk, "data");
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
