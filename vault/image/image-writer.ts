/** Writing a disk image: unchanged chunks are taken from the parent, the others are stored, segment by segment. */

import { hash } from "node:crypto";
import { assert, must } from "@mainstay/kit";
import { idOf, type ObjectId } from "../format/object-id.ts";
import type { TreeNode } from "../format/tree.ts";
import type { BlobWriter, WriteBuffer } from "../repository/blob-writer.ts";
import type { Span } from "../work/tasks.ts";
import type { DiskImage } from "./disk-image.ts";
import {
  chunkLength,
  CHUNKS_PER_SEGMENT,
  chunksIn,
  DISKS_FOLDER,
  SEGMENT_FILE,
  segmentLength,
  segmentName,
  type ImageLayout,
} from "./layout.ts";

/** Segments get one fixed time: their trees must be equal when their content is. */
const SEGMENT_TIME = "1970-01-01T00:00:00Z";
const FILE_MODE = 0o600;
const FOLDER_MODE = 0x8000_0000 + 0o700;

export type ImageWriter = {
  readonly layout: ImageLayout;
  /**
   * Stores chunks `first`, `first + 1`, … whose bytes lie one after the other at the start of `buffer`; takes the buffer.
   * Chunks may come in any order; one not put is as in the parent, or zeros if the parent does not reach so far.
   */
  put(buffer: WriteBuffer, firstChunk: number, chunkCount: number): Promise<void>;
  /** Says that the chunks are zeros, without reading them. */
  putZeros(firstChunk: number, chunkCount: number): void;
  /** Stores the trees; the id of the folder `/disks/<name>`. All puts must have resolved. */
  finish(): Promise<ObjectId>;
};

export function createImageWriter(writer: BlobWriter, layout: ImageLayout, parent?: DiskImage): ImageWriter {
  assert(
    parent === undefined || parent.layout.chunkBytes === layout.chunkBytes,
    "an image is cut as its parent is",
  );
  /** Per touched segment: its chunk ids. An undefined chunk is as in the parent. */
  const touched = new Map<number, (ObjectId | undefined)[]>();
  const zeros = zeroChunks();

  const set = (chunk: number, id: ObjectId): void => {
    const segment = Math.floor(chunk / CHUNKS_PER_SEGMENT);
    let chunks = touched.get(segment);
    if (chunks === undefined) {
      chunks = Array.from({ length: chunksIn(layout, segment) });
      touched.set(segment, chunks);
    }
    chunks[chunk % CHUNKS_PER_SEGMENT] = id;
  };

  const storeSegment = async (segment: number): Promise<ObjectId> => {
    const chunks = touched.get(segment);
    const before = await parent?.segmentTree(segment);
    if (chunks === undefined && before !== undefined && isSameLength(layout, parent, segment)) return before;
    const old =
      before === undefined ? [] : must(await parent?.segmentChunks(segment), "the parent has the segment");
    const content = Array.from({ length: chunksIn(layout, segment) }, (_, index) => {
      const chunk = segment * CHUNKS_PER_SEGMENT + index;
      return (
        chunks?.[index] ?? oldChunk(parent, old[index], chunk, layout) ?? zeros.id(chunkLength(layout, chunk))
      );
    });
    return writer.storeTree([fileNode(content, segmentLength(layout, segment))]);
  };

  return {
    layout,
    put: async (buffer, firstChunk, chunkCount) => {
      const spans: Span[] = [];
      for (let at = 0, index = 0; index < chunkCount; index += 1) {
        const length = chunkLength(layout, firstChunk + index);
        spans.push({ start: at, length });
        at += length;
      }
      for (const [index, id] of (await buffer.store(spans)).entries()) set(firstChunk + index, id);
    },
    putZeros: (firstChunk, chunkCount) => {
      for (let index = 0; index < chunkCount; index += 1) {
        set(firstChunk + index, zeros.id(chunkLength(layout, firstChunk + index)));
      }
    },
    finish: async () => {
      const nodes: TreeNode[] = [];
      for (let segment = 0; segment < layout.segmentCount; segment += 1) {
        nodes.push(folderNode(segmentName(segment), await storeSegment(segment), SEGMENT_TIME));
      }
      await zeros.store(writer);
      return writer.storeTree(nodes);
    },
  };
}

/** The tree `/disks` with its images, and the root above it; the id of the root. */
export async function storeImageRoot(
  writer: BlobWriter,
  disks: readonly { readonly name: string; readonly tree: ObjectId }[],
  time: string,
): Promise<ObjectId> {
  const images = await writer.storeTree(disks.map((disk) => folderNode(disk.name, disk.tree, time)));
  return writer.storeTree([folderNode(DISKS_FOLDER, images, time)]);
}

function isSameLength(layout: ImageLayout, parent: DiskImage | undefined, segment: number): boolean {
  return parent !== undefined && segmentLength(layout, segment) === segmentLength(parent.layout, segment);
}

/** What the parent has of a chunk that was not put. Of another length it would be wrong bytes: then it must be put. */
function oldChunk(
  parent: DiskImage | undefined,
  id: ObjectId | undefined,
  chunk: number,
  layout: ImageLayout,
): ObjectId | undefined {
  if (parent === undefined || id === undefined) return undefined;
  assert(
    chunkLength(parent.layout, chunk) === chunkLength(layout, chunk),
    "a chunk that changed its length is put anew",
  );
  return id;
}

type ZeroChunks = {
  /** The id of a chunk of that many zeros. */
  id(length: number): ObjectId;
  /** Stores the zero chunks that were asked for: one named for a hole was never read, so its blob may be missing. */
  store(writer: BlobWriter): Promise<void>;
};

function zeroChunks(): ZeroChunks {
  const known = new Map<number, ObjectId>();
  return {
    id: (length) => {
      let id = known.get(length);
      if (id === undefined) {
        id = idOf(Buffer.alloc(length));
        known.set(length, id);
      }
      return id;
    },
    store: async (writer) => {
      for (const length of known.keys()) {
        const buffer = await writer.reserve();
        buffer.bytes.fill(0, 0, length);
        await buffer.store([{ start: 0, length }]);
      }
    },
  };
}

function fileNode(content: readonly ObjectId[], sizeBytes: number): TreeNode {
  return {
    ...node(SEGMENT_FILE, "file", FILE_MODE, SEGMENT_TIME),
    size: sizeBytes,
    links: 1,
    inode: inodeOf(SEGMENT_FILE),
    content,
  };
}

function folderNode(name: string, subtree: ObjectId, time: string): TreeNode {
  return { ...node(name, "dir", FOLDER_MODE, time), inode: inodeOf(name), subtree };
}

function node(name: string, type: "file" | "dir", mode: number, time: string) {
  return { name: Buffer.from(name), type, mode, mtime: time, atime: time, ctime: time, uid: 0, gid: 0 };
}

/** restic's mount wants inodes that differ within a folder; any stable number does. */
function inodeOf(name: string): number {
  return Number.parseInt(hash("sha256", name, "hex").slice(0, 8), 16);
}
