/** Which blob holds which bytes of a file in a restore point: of a disk image, or of any file that restic stored. */

import { must } from "@mainstay/kit";
import { vaultErrors } from "../errors.ts";
import { idOf, shortId, type ObjectId } from "../format/object-id.ts";
import type { Snapshot } from "../format/snapshot.ts";
import type { TreeNode } from "../format/tree.ts";
import { openImage, type DiskImage } from "../image/disk-image.ts";
import { chunkLength, CHUNKS_PER_SEGMENT, DISKS_FOLDER } from "../image/layout.ts";
import { missingBlob, readTree } from "../repository/blob-reader.ts";
import type { Repository } from "../repository/repository.ts";

/** A blob and the place of its first byte in the file. */
export type Piece = {
  readonly id: ObjectId;
  readonly start: number;
  readonly length: number;
  readonly isZero: boolean;
};

export type ContentMap = {
  readonly sizeBytes: number;
  /** The pieces that hold `[offset, offset + length)`, in order; the first and the last may reach beyond it. */
  pieces(offset: number, length: number): Promise<readonly Piece[]>;
};

/**
 * What `path` names in the restore point: `undefined` its only disk image, `NAME` or `/disks/NAME` one of its images,
 * `/path/to/file` a file.
 *
 * Errors: `vault.not-an-image`, `vault.no-such-path`, `vault.missing-blob`.
 */
export async function openContent(
  repository: Repository,
  snapshot: Snapshot,
  path?: string,
  signal?: AbortSignal,
): Promise<ContentMap> {
  if (path === undefined || !path.startsWith("/")) {
    return imageContent(await openImage(repository, snapshot, path, signal));
  }
  const node = await findNode(repository, snapshot, path, signal);
  if (node.type === "file") return fileContent(repository, node);
  const [folder, disk, ...rest] = path.split("/").filter((part) => part !== "");
  if (folder === DISKS_FOLDER && disk !== undefined && rest.length === 0) {
    return imageContent(await openImage(repository, snapshot, disk, signal));
  }
  throw vaultErrors.error(
    "no-such-path",
    `Cannot open ${path} of restore point ${shortId(snapshot.id)}: it is a ${node.type}, wanted a file or a disk image`,
    { values: { point: snapshot.id, path } },
  );
}

/** The entry at `path`. Errors: `vault.no-such-path`. */
export async function findNode(
  repository: Repository,
  snapshot: Snapshot,
  path: string,
  signal?: AbortSignal,
): Promise<TreeNode> {
  let tree: ObjectId | undefined = snapshot.tree;
  let found: TreeNode | undefined;
  for (const part of path.split("/").filter((name) => name !== "")) {
    const nodes: readonly TreeNode[] = tree === undefined ? [] : await readTree(repository, tree, signal);
    found = nodes.find((node) => node.name.equals(Buffer.from(part)));
    if (found === undefined) break;
    tree = found.subtree;
  }
  if (found !== undefined) return found;
  throw vaultErrors.error(
    "no-such-path",
    `Cannot find ${path} in restore point ${shortId(snapshot.id)}; list what it holds with "restic ls ${shortId(snapshot.id)}"`,
    { values: { point: snapshot.id, path } },
  );
}

export function imageContent(image: DiskImage): ContentMap {
  const { layout } = image;
  const zeroFull = idOf(Buffer.alloc(layout.chunkBytes));
  const lastBytes = layout.sizeBytes % layout.chunkBytes;
  const zeroLast = lastBytes === 0 ? zeroFull : idOf(Buffer.alloc(lastBytes));
  return {
    sizeBytes: layout.sizeBytes,
    pieces: async (offset, length) => {
      const pieces: Piece[] = [];
      const end = offset + length;
      for (let chunk = Math.floor(offset / layout.chunkBytes); chunk * layout.chunkBytes < end; chunk += 1) {
        const chunks = await image.segmentChunks(Math.floor(chunk / CHUNKS_PER_SEGMENT));
        const id = must(chunks[chunk % CHUNKS_PER_SEGMENT], "a segment names every chunk of it");
        const isZero = id === zeroFull || id === zeroLast;
        pieces.push({ id, start: chunk * layout.chunkBytes, length: chunkLength(layout, chunk), isZero });
      }
      return pieces;
    },
  };
}

function fileContent(repository: Repository, node: TreeNode): ContentMap {
  const content = node.content ?? [];
  const starts = new Float64Array(content.length + 1);
  for (const [index, id] of content.entries()) {
    const length = repository.table.plainLength(id, "data");
    if (length === undefined) throw missingBlob(repository, "data", id);
    starts[index + 1] = (starts[index] ?? 0) + length;
  }
  const sizeBytes = starts[content.length] ?? 0;
  const zeros = zeroTest();
  return {
    sizeBytes,
    pieces: async (offset, length) => {
      const pieces: Piece[] = [];
      for (let index = pieceAt(starts, offset); index < content.length; index += 1) {
        const start = starts[index] ?? 0;
        if (start >= offset + length) break;
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the loop stays within the list
        const id = content[index] as ObjectId;
        const pieceLength = (starts[index + 1] ?? 0) - start;
        pieces.push({ id, start, length: pieceLength, isZero: zeros(id, pieceLength) });
      }
      return pieces;
    },
  };
}

/** restic cuts runs of zeros at its largest chunk; only that one length is worth a comparison. */
const RESTIC_ZERO_BYTES = 512 * 1024;

function zeroTest(): (id: ObjectId, length: number) => boolean {
  let zero: ObjectId | undefined;
  return (id, length) => {
    if (length !== RESTIC_ZERO_BYTES) return false;
    zero ??= idOf(Buffer.alloc(RESTIC_ZERO_BYTES));
    return id === zero;
  };
}

/** The last index whose start is not beyond `offset`. */
function pieceAt(starts: Float64Array, offset: number): number {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((starts[middle] ?? 0) <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
}
