/** Storing content: bytes come in shared buffers, threads hash, compress and seal them, packs take what is new. */

import { SEAL_OVERHEAD_BYTES } from "../crypto/seal.ts";
import { idFromBytes, idOf, ID_BYTES, type ObjectId } from "../format/object-id.ts";
import { encodeTree, type TreeNode } from "../format/tree.ts";
import type { IndexedPack } from "../format/index-file.ts";
import { PackWriter } from "../pack/pack-writer.ts";
import { sealSpans, type SealedSpan, type Span } from "../work/tasks.ts";
import { COMPRESSION_LEVEL } from "./open.ts";
import type { Repository } from "./repository.ts";

/** A buffer to fill. Belongs to the caller from `reserve` until `store` or `release`, then to the writer. */
export type WriteBuffer = {
  readonly bytes: Buffer;
  /** Stores the spans as data blobs; their ids, in order. They are durable only after `finish`. */
  store(spans: readonly Span[]): Promise<readonly ObjectId[]>;
  /** Gives the buffer back unused. */
  release(): void;
};

export type WriteFigures = {
  /** Plaintext bytes handed in. */
  readonly seenBytes: number;
  /** Plaintext bytes that the repository did not have. */
  readonly newBytes: number;
  readonly newBlobs: number;
  /** Bytes of packs and indexes written. */
  readonly storedBytes: number;
  readonly packs: number;
};

/** Writes blobs; one per backup. After a rejection only `abandon` may be called. */
export type BlobWriter = {
  /** An empty buffer of `bufferBytes`; waits until one is free. */
  reserve(): Promise<WriteBuffer>;
  storeTree(nodes: readonly TreeNode[]): Promise<ObjectId>;
  /** Names a pack that lies in the repository already but in no index. */
  adopt(pack: IndexedPack): void;
  /** Resolves when all is durable and indexed. */
  finish(): Promise<WriteFigures>;
  /** Ends without a snapshot; what is durable by now is indexed for the next run. Never rejects. */
  abandon(): Promise<void>;
  figures(): WriteFigures;
};

export type WriterOptions = { readonly bufferBytes: number; readonly signal?: AbortSignal | undefined };

/** Buffers beyond one per thread: one being filled and one waiting. */
const SPARE_BUFFERS = 2;

export function openWriter(repository: Repository, options: WriterOptions): BlobWriter {
  const packs = new PackWriter(repository, options.signal);
  const buffers = bufferRing(repository.pool.threads + SPARE_BUFFERS, options.bufferBytes);
  /** New blobs that are in no durable pack yet, so that a twin in flight is not stored again. */
  const inFlight = new Set<string>();
  let seenBytes = 0;
  let newBytes = 0;
  let newBlobs = 0;

  const isNew = (id: ObjectId, type: "data" | "tree"): boolean => {
    if (repository.table.has(id, type) || inFlight.has(`${type}${id}`)) return false;
    inFlight.add(`${type}${id}`);
    return true;
  };

  const add = async (
    ids: readonly ObjectId[],
    type: "data" | "tree",
    bytes: Uint8Array,
    sealed: readonly SealedSpan[],
  ) => {
    let at = 0;
    for (const [index, { length, rawLength }] of sealed.entries()) {
      const id = ids[index] as ObjectId; // As many spans were sealed as ids were given.
      await packs.add(id, type, bytes.subarray(at, at + length), rawLength);
      at += length;
      newBytes += rawLength === 0 ? length - SEAL_OVERHEAD_BYTES : rawLength;
      newBlobs += 1;
    }
  };

  const store = async (memory: SharedArrayBuffer, spans: readonly Span[]): Promise<readonly ObjectId[]> => {
    const { ids: idBytes } = await repository.pool.run({ kind: "hash", buffer: memory, spans });
    const ids = spans.map((_, index) => idFromBytes(idBytes, index * ID_BYTES));
    const fresh = spans
      .map((span, index) => ({ span, id: ids[index] as ObjectId }))
      .filter(({ id }) => isNew(id, "data"));
    for (const span of spans) seenBytes += span.length;
    if (fresh.length > 0) {
      const { bytes, sealed } = await repository.pool.run({
        kind: "seal",
        buffer: memory,
        spans: fresh.map(({ span }) => span),
      });
      await add(
        fresh.map(({ id }) => id),
        "data",
        bytes,
        sealed,
      );
    }
    return ids;
  };

  return {
    reserve: async () => {
      options.signal?.throwIfAborted();
      const memory = await buffers.take();
      return {
        bytes: Buffer.from(memory),
        store: (spans) => store(memory, spans).finally(() => buffers.give(memory)),
        release: () => buffers.give(memory),
      };
    },
    storeTree: async (nodes) => {
      const plain = encodeTree(nodes);
      const id = idOf(plain);
      seenBytes += plain.length;
      if (!isNew(id, "tree")) return id;
      const span = { start: 0, length: plain.length };
      const { bytes, sealed } = sealSpans(
        repository.key,
        repository.config.version,
        COMPRESSION_LEVEL,
        plain,
        [span],
      );
      await add([id], "tree", bytes, sealed);
      return id;
    },
    adopt: (pack) => packs.adopt(pack),
    finish: async () => {
      await packs.flush();
      inFlight.clear();
      return figures();
    },
    abandon: () => packs.salvage(),
    figures,
  };

  function figures(): WriteFigures {
    return { seenBytes, newBytes, newBlobs, storedBytes: packs.storedBytes, packs: packs.packs };
  }
}

function bufferRing(countMax: number, sizeBytes: number) {
  const free: SharedArrayBuffer[] = [];
  const waiting: ((memory: SharedArrayBuffer) => void)[] = [];
  let made = 0;
  return {
    take: async (): Promise<SharedArrayBuffer> => {
      const memory = free.pop();
      if (memory !== undefined) return memory;
      if (made < countMax) {
        made += 1;
        return new SharedArrayBuffer(sizeBytes);
      }
      return new Promise((resolve) => waiting.push(resolve));
    },
    give: (memory: SharedArrayBuffer): void => {
      const next = waiting.shift();
      if (next === undefined) free.push(memory);
      else next(memory);
    },
  };
}
