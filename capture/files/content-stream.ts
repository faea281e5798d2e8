/** Storing the content of files: many share one buffer, each is cut where restic would cut it. */

import { must } from "@mainstay/kit";
import {
  createChunker,
  type BlobWriter,
  type Chunker,
  type ObjectId,
  type WriteBuffer,
} from "@mainstay/vault";

/** A buffer holds the longest chunk twice over, so that little is copied from one buffer to the next. */
export const STREAM_BUFFER_BYTES = 16 * 1024 * 1024;

export type StoredContent = { readonly content: readonly ObjectId[]; readonly sizeBytes: number };

export type ContentSource = {
  /** Puts bytes from `position` on at the start of `target`; how many, 0 at the end. */
  read(target: Buffer, position: number): Promise<number>;
};

/** For one reader at a time: the bytes of two files must not be mixed in a buffer. */
export type ContentStream = {
  /**
   * Reads the source to its end. The outer promise resolves when it is read, `stored` when its ids are known, which may be
   * only after `flush`.
   */
  add(
    source: ContentSource,
    onBytes: (count: number) => void,
  ): Promise<{ readonly stored: Promise<StoredContent> }>;
  /** Resolves when everything added is stored. */
  flush(): Promise<void>;
};

/** A file of which some chunks are still on their way. */
type OpenFile = {
  readonly content: ObjectId[];
  sizeBytes: number;
  chunkCount: number;
  missing: number;
  isRead: boolean;
  readonly done: PromiseWithResolvers<StoredContent>;
};

type Chunk = {
  readonly start: number;
  readonly length: number;
  readonly file: OpenFile;
  readonly index: number;
};

export function createContentStream(
  writer: BlobWriter,
  polynomial: bigint,
  signal?: AbortSignal,
): ContentStream {
  return new CutStream(writer, polynomial, signal);
}

class CutStream implements ContentStream {
  readonly #writer: BlobWriter;
  readonly #signal: AbortSignal | undefined;
  readonly #chunker: Chunker;
  /** Stores under way; these promises never reject. */
  readonly #storing = new Set<Promise<void>>();
  #buffer: WriteBuffer | undefined;
  #filled = 0;
  #chunks: Chunk[] = [];
  #failure: { readonly cause: unknown } | undefined;

  constructor(writer: BlobWriter, polynomial: bigint, signal?: AbortSignal) {
    this.#writer = writer;
    this.#signal = signal;
    this.#chunker = createChunker(polynomial);
  }

  async add(
    source: ContentSource,
    onBytes: (count: number) => void,
  ): Promise<{ readonly stored: Promise<StoredContent> }> {
    const file = openFile();
    let openStart = this.#filled;
    let isCut = false;
    try {
      for (;;) {
        this.#throwIfFailed();
        openStart = await this.#makeRoom(openStart);
        const bytes = must(this.#buffer, "there is room now").bytes;
        const from = this.#filled;
        const bytesRead = await source.read(bytes.subarray(from), file.sizeBytes);
        if (bytesRead === 0) break;
        for (const cut of this.#chunker.push(bytes.subarray(from, from + bytesRead))) {
          this.#close(file, openStart, from + cut);
          openStart = from + cut;
        }
        this.#filled += bytesRead;
        file.sizeBytes += bytesRead;
        onBytes(bytesRead);
      }
      isCut = true;
      if (this.#chunker.finish() > 0) this.#close(file, openStart, this.#filled);
    } finally {
      // The next file must not be cut as if it were the rest of one that could not be read.
      if (!isCut) this.#chunker.finish();
    }
    file.isRead = true;
    resolveIfDone(file);
    return { stored: file.done.promise };
  }

  async flush(): Promise<void> {
    this.#submit();
    await Promise.all(this.#storing);
    this.#throwIfFailed();
  }

  #submit(): void {
    const [full, chunks] = [this.#buffer, this.#chunks];
    this.#buffer = undefined;
    this.#filled = 0;
    this.#chunks = [];
    if (full === undefined) return;
    if (chunks.length === 0) return full.release();
    const store = full
      .store(chunks.map(({ start, length }) => ({ start, length })))
      .then((ids) =>
        chunks.forEach((chunk, index) => settle(chunk, must(ids[index], "every chunk has an id"))),
      )
      .catch((cause: unknown) => {
        this.#failure ??= { cause };
        for (const { file } of chunks) file.done.reject(cause);
      })
      .finally(() => this.#storing.delete(store));
    this.#storing.add(store);
  }

  /** Where the open chunk starts once there is a buffer with room behind it; a full one gives its tail to the next. */
  async #makeRoom(openStart: number): Promise<number> {
    if (this.#buffer !== undefined && this.#filled < this.#buffer.bytes.length) return openStart;
    const tail =
      this.#buffer === undefined
        ? undefined
        : Buffer.from(this.#buffer.bytes.subarray(openStart, this.#filled));
    this.#submit();
    this.#buffer = await this.#writer.reserve();
    this.#filled = tail?.copy(this.#buffer.bytes) ?? 0;
    return 0;
  }

  #close(file: OpenFile, start: number, end: number): void {
    this.#chunks.push({ start, length: end - start, file, index: file.chunkCount });
    file.chunkCount += 1;
    file.missing += 1;
  }

  #throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure.cause;
    this.#signal?.throwIfAborted();
  }
}

function openFile(): OpenFile {
  const done = Promise.withResolvers<StoredContent>();
  // A failure is told by the stream; whoever waits for this file hears of it too, but need not.
  done.promise.catch(() => undefined);
  return { content: [], sizeBytes: 0, chunkCount: 0, missing: 0, isRead: false, done };
}

function settle({ file, index }: Chunk, id: ObjectId): void {
  file.content[index] = id;
  file.missing -= 1;
  resolveIfDone(file);
}

function resolveIfDone(file: OpenFile): void {
  if (file.isRead && file.missing === 0)
    file.done.resolve({ content: file.content, sizeBytes: file.sizeBytes });
}
