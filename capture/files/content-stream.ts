/** Storing the content of files: many share one buffer, each is cut where restic would cut it. */

import type { FileHandle } from "node:fs/promises";
import { createChunker, type BlobWriter, type ObjectId, type WriteBuffer } from "@mainstay/vault";

/** A buffer holds the longest chunk twice over, so that little is copied from one buffer to the next. */
export const STREAM_BUFFER_BYTES = 16 * 1024 * 1024;

export type StoredContent = { readonly content: readonly ObjectId[]; readonly sizeBytes: number };

/** For one reader at a time: the bytes of two files must not be mixed in a buffer. */
export type ContentStream = {
  /**
   * Reads the file to its end. The outer promise resolves when it is read, `stored` when its ids are known, which may be
   * only after `flush`.
   */
  add(
    file: FileHandle,
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
  let buffer: WriteBuffer | undefined;
  let filled = 0;
  let chunks: Chunk[] = [];
  let failure: { readonly cause: unknown } | undefined;
  const storing = new Set<Promise<void>>();
  const chunker = createChunker(polynomial);

  const submit = (): void => {
    const [full, fullChunks] = [buffer, chunks];
    buffer = undefined;
    filled = 0;
    chunks = [];
    if (full === undefined) return;
    if (fullChunks.length === 0) return full.release();
    const store = full
      .store(fullChunks.map(({ start, length }) => ({ start, length })))
      .then((ids) => fullChunks.forEach((chunk, index) => settle(chunk, ids[index])))
      .catch((cause: unknown) => {
        failure ??= { cause };
        for (const { file } of fullChunks) file.done.reject(cause);
      })
      .finally(() => storing.delete(store));
    storing.add(store);
  };

  const throwIfFailed = (): void => {
    if (failure !== undefined) throw failure.cause;
    signal?.throwIfAborted();
  };

  /** Where the open chunk starts once there is a buffer with room behind it; a full one gives its tail to the next. */
  const makeRoom = async (openStart: number): Promise<number> => {
    if (buffer !== undefined && filled < STREAM_BUFFER_BYTES) return openStart;
    const tail = buffer === undefined ? undefined : Buffer.from(buffer.bytes.subarray(openStart, filled));
    submit();
    buffer = await writer.reserve();
    filled = tail?.copy(buffer.bytes) ?? 0;
    return 0;
  };

  const close = (file: OpenFile, start: number, end: number): void => {
    chunks.push({ start, length: end - start, file, index: file.chunkCount });
    file.chunkCount += 1;
    file.missing += 1;
  };

  return {
    add: async (handle, onBytes) => {
      const file = openFile();
      let openStart = filled;
      for (;;) {
        throwIfFailed();
        openStart = await makeRoom(openStart);
        const { bytes } = buffer as WriteBuffer; // `makeRoom` sees to it.
        const { bytesRead } = await handle.read(bytes, filled, STREAM_BUFFER_BYTES - filled, file.sizeBytes);
        if (bytesRead === 0) break;
        const from = filled;
        for (const cut of chunker.push(bytes.subarray(from, from + bytesRead))) {
          close(file, openStart, from + cut);
          openStart = from + cut;
        }
        filled += bytesRead;
        file.sizeBytes += bytesRead;
        onBytes(bytesRead);
      }
      if (chunker.finish() > 0) close(file, openStart, filled);
      file.isRead = true;
      resolveIfDone(file);
      return { stored: file.done.promise };
    },
    flush: async () => {
      submit();
      await Promise.all(storing);
      throwIfFailed();
    },
  };
}

function openFile(): OpenFile {
  const done = Promise.withResolvers<StoredContent>();
  // A failure is told by the stream; whoever waits for this file hears of it too, but need not.
  done.promise.catch(() => undefined);
  return { content: [], sizeBytes: 0, chunkCount: 0, missing: 0, isRead: false, done };
}

function settle({ file, index }: Chunk, id: ObjectId | undefined): void {
  if (id === undefined) return;
  file.content[index] = id;
  file.missing -= 1;
  resolveIfDone(file);
}

function resolveIfDone(file: OpenFile): void {
  if (file.isRead && file.missing === 0)
    file.done.resolve({ content: file.content, sizeBytes: file.sizeBytes });
}
