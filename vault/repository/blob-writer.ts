/** Storing content: bytes come in shared buffers, threads hash, compress and seal them, packs take what is new. */

import { assert, must } from "@mainstay/kit";
import { SEAL_OVERHEAD_BYTES } from "../crypto/seal.ts";
import { idFromBytes, idOf, ID_BYTES, type ObjectId } from "../format/object-id.ts";
import { encodeTree, type TreeNode } from "../format/tree.ts";
import type { IndexedPack } from "../format/index-file.ts";
import type { BlobType } from "../format/pack-header.ts";
import { PackWriter } from "../pack/pack-writer.ts";
import { sealSpans, type SealedSpan, type Span } from "../work/tasks.ts";
import { createBufferRing, type BufferRing } from "./buffer-ring.ts";
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
  /**
   * Ends without a snapshot: waits for what is under way, takes no more, and indexes what is durable for the next run.
   * Never rejects.
   */
  abandon(): Promise<void>;
  figures(): WriteFigures;
};

export type WriterOptions = { readonly bufferBytes: number; readonly signal?: AbortSignal | undefined };

/** Buffers beyond one per thread: one being filled and one waiting. */
const SPARE_BUFFERS = 2;

export function openWriter(repository: Repository, options: WriterOptions): BlobWriter {
  return new PackingWriter(repository, options);
}

class PackingWriter implements BlobWriter {
  readonly #repository: Repository;
  readonly #signal: AbortSignal | undefined;
  readonly #packs: PackWriter;
  readonly #buffers: BufferRing;
  /** Stores under way; these promises never reject. */
  readonly #running = new Set<Promise<void>>();
  #isAbandoned = false;
  #seenBytes = 0;
  #newBytes = 0;
  #newBlobs = 0;

  constructor(repository: Repository, { bufferBytes, signal }: WriterOptions) {
    this.#repository = repository;
    this.#signal = signal;
    this.#packs = new PackWriter(repository, signal);
    this.#buffers = createBufferRing(repository.pool.threads + SPARE_BUFFERS, bufferBytes);
  }

  async reserve(): Promise<WriteBuffer> {
    this.#throwIfEnded();
    const memory = await this.#buffers.take();
    let isLent = true;
    const giveBack = (): void => {
      assert(isLent, "a buffer is given back once");
      isLent = false;
      this.#buffers.give(memory);
    };
    if (this.#isAbandoned || this.#signal?.aborted) giveBack();
    this.#throwIfEnded();
    return {
      bytes: Buffer.from(memory),
      store: (spans) => this.#track(this.#storeSpans(memory, spans).finally(giveBack)),
      release: giveBack,
    };
  }

  async storeTree(nodes: readonly TreeNode[]): Promise<ObjectId> {
    this.#throwIfEnded();
    const plain = encodeTree(nodes);
    const id = idOf(plain);
    this.#seenBytes += plain.length;
    if (!this.#packs.claim(id, "tree")) return id;
    const { key, config } = this.#repository;
    const span = { start: 0, length: plain.length };
    const { bytes, sealed } = sealSpans(key, config.version, COMPRESSION_LEVEL, plain, [span]);
    await this.#track(this.#add([id], "tree", bytes, sealed));
    return id;
  }

  adopt(pack: IndexedPack): void {
    this.#packs.adopt(pack);
  }

  async finish(): Promise<WriteFigures> {
    await Promise.all(this.#running);
    await this.#packs.flush();
    return this.figures();
  }

  async abandon(): Promise<void> {
    this.#isAbandoned = true;
    await Promise.all(this.#running);
    await this.#packs.salvage();
  }

  figures(): WriteFigures {
    const { storedBytes, packs } = this.#packs;
    return {
      seenBytes: this.#seenBytes,
      newBytes: this.#newBytes,
      newBlobs: this.#newBlobs,
      storedBytes,
      packs,
    };
  }

  async #storeSpans(memory: SharedArrayBuffer, spans: readonly Span[]): Promise<readonly ObjectId[]> {
    this.#throwIfEnded();
    const { pool } = this.#repository;
    const { ids: idBytes } = await pool.run({ kind: "hash", buffer: memory, spans });
    const ids = spans.map((_, index) => idFromBytes(idBytes, index * ID_BYTES));
    const fresh: { readonly span: Span; readonly id: ObjectId }[] = [];
    for (const [index, span] of spans.entries()) {
      const id = must(ids[index], "every span has an id");
      this.#seenBytes += span.length;
      if (this.#packs.claim(id, "data")) fresh.push({ span, id });
    }
    if (fresh.length === 0) return ids;
    const { bytes, sealed } = await pool.run({
      kind: "seal",
      buffer: memory,
      spans: fresh.map(({ span }) => span),
    });
    await this.#add(
      fresh.map(({ id }) => id),
      "data",
      bytes,
      sealed,
    );
    return ids;
  }

  async #add(
    ids: readonly ObjectId[],
    type: BlobType,
    bytes: Uint8Array,
    sealed: readonly SealedSpan[],
  ): Promise<void> {
    let at = 0;
    for (const [index, { length, rawLength }] of sealed.entries()) {
      const id = must(ids[index], "as many spans were sealed as ids were given");
      await this.#packs.add(id, type, bytes.subarray(at, at + length), rawLength);
      at += length;
      this.#newBytes += rawLength === 0 ? length - SEAL_OVERHEAD_BYTES : rawLength;
      this.#newBlobs += 1;
    }
  }

  #track<Result>(work: Promise<Result>): Promise<Result> {
    const settled = work
      .then(
        () => undefined,
        () => undefined,
      )
      .finally(() => this.#running.delete(settled));
    this.#running.add(settled);
    return work;
  }

  #throwIfEnded(): void {
    this.#signal?.throwIfAborted();
    if (this.#isAbandoned) throw new Error("the backup was abandoned");
  }
}
