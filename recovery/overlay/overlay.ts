/**
 * Copy-on-write over a disk that is never written: what a recovered machine writes goes to a sparse file of the disk's
 * size, block by block at the same place; zeros and trims are kept as state alone.
 *
 * What makes a flush survive a crash: first the data is made durable, then the map that points to it (`journal.ts`). A
 * block whose map entry was lost reads as it did before, which is what a disk may do with writes not yet flushed.
 */

import { type FileHandle, open } from "node:fs/promises";
import { dirname } from "node:path";

import { assert, messageOf, systemCodeOf } from "@mainstay/kit";
import { appendExtent, type BlockDevice, type Extent } from "@mainstay/nbd";

import { type BlockRun, BlockStates, IN_BASE, IN_OVERLAY, ZERO } from "./block-states.ts";
import { overlayErrors } from "./errors.ts";
import {
  changedRuns,
  createJournal,
  IDENTITY_BYTES_MAX,
  type Journal,
  openJournal,
  syncFolder,
} from "./journal.ts";
import { lockOwner } from "./owner-lock.ts";
import { type RangeLock, rangeLock } from "./range-lock.ts";

const BLOCK_BYTES_DEFAULT = 4096;

export type OpenOverlayOptions = {
  /** Read through where nothing was written; neither written nor closed. */
  readonly base: BlockDevice;
  /** Says which disk `base` is, such as "repository/snapshot/path"; an overlay made for another is refused. */
  readonly identity: string;
  /** The file of data; `PATH.map` and `PATH.lock` lie beside it. Made if absent, else continued. */
  readonly path: string;
  readonly blockSizeBytes?: number;
};

export type Overlay = BlockDevice &
  AsyncDisposable & {
    /** Bytes of blocks that hold data of their own. */
    readonly writtenBytes: number;
    /** Bytes of blocks that were zeroed or trimmed. */
    readonly zeroedBytes: number;
    trim(offset: number, length: number): Promise<void>;
    /** What differs from the base, in order. Writes that happen meanwhile may or may not be in it. */
    changes(): Generator<Extent>;
  };

type State = {
  readonly base: BlockDevice;
  readonly path: string;
  readonly blockBytes: number;
  readonly sizeBytes: number;
  readonly file: FileHandle;
  readonly journal: Journal;
  readonly states: BlockStates;
  readonly lock: RangeLock;
  /** Blocks whose state the journal does not hold yet, as state 1. Replaced when a flush begins. */
  unsaved: BlockStates;
  /** After it nothing can be promised any more. */
  failure: Error | undefined;
};

/** Rejects with `overlay.foreign-disk`, `overlay.damaged` or `overlay.in-use`. */
export async function openOverlay(options: OpenOverlayOptions): Promise<Overlay> {
  const { base, path, identity } = options;
  const blockBytes = options.blockSizeBytes ?? BLOCK_BYTES_DEFAULT;
  assert(
    blockBytes >= 512 && (blockBytes & (blockBytes - 1)) === 0,
    "a block is a power of two of at least 512 bytes",
  );
  assert(
    Buffer.byteLength(identity) <= IDENTITY_BYTES_MAX,
    `an identity has at most ${IDENTITY_BYTES_MAX} bytes`,
  );
  const unlock = await lockOwner(path);
  try {
    const blockCount = Math.ceil(base.sizeBytes / blockBytes);
    const states = new BlockStates(blockCount);
    const { file, journal } = await openFiles(
      path,
      { identity, sizeBytes: base.sizeBytes, blockBytes },
      states,
    );
    const unsaved = new BlockStates(blockCount);
    const sizeBytes = base.sizeBytes;
    const lock = rangeLock();
    return overlayOf(
      { base, path, blockBytes, sizeBytes, file, journal, states, lock, unsaved, failure: undefined },
      unlock,
    );
  } catch (cause) {
    await unlock();
    throw cause;
  }
}

async function openFiles(
  path: string,
  disk: { readonly identity: string; readonly sizeBytes: number; readonly blockBytes: number },
  states: BlockStates,
): Promise<{ readonly file: FileHandle; readonly journal: Journal }> {
  const journal = await openJournal(`${path}.map`, disk, states);
  const file = await openData(path, journal !== undefined);
  try {
    // The data file comes first: a map without its data would be a lie, data without a map is merely unused.
    await file.truncate(disk.sizeBytes);
    if (journal !== undefined) return { file, journal };
    await file.sync();
    await syncFolder(dirname(path));
    return { file, journal: await createJournal(`${path}.map`, disk) };
  } catch (cause) {
    await file.close();
    await journal?.close();
    throw cause;
  }
}

async function openData(path: string, hasMap: boolean): Promise<FileHandle> {
  const file = await open(path, hasMap ? "r+" : "a+", 0o600).catch((cause: unknown) => {
    if (hasMap && systemCodeOf(cause) === "ENOENT") throw damaged(path, "no file of data beside its map");
    throw cause;
  });
  if (hasMap) return file;
  // Opened for appending only so as not to lose what may be there.
  const { blocks } = await file.stat();
  await file.close();
  if (blocks > 0) throw damaged(path, "data and no map");
  return open(path, "r+");
}

function damaged(path: string, found: string): Error {
  const message = `Cannot open the overlay "${path}": found ${found}, wanted both or neither; use another path, or bring back what is missing`;
  return overlayErrors.error("damaged", message, { values: { path } });
}

function overlayOf(state: State, unlock: () => Promise<void>): Overlay {
  const { sizeBytes, states, blockBytes } = state;
  const flush = groupedFlush(state);
  const zero = (offset: number, length: number): Promise<void> =>
    withBlocks(state, offset, length, () => zeroRange(state, offset, length));
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => (closing ??= closeAll(state, flush, unlock));
  return {
    sizeBytes,
    writable: true,
    zeroesAreFast: true,
    get writtenBytes() {
      return Math.min(sizeBytes, states.count(IN_OVERLAY) * blockBytes);
    },
    get zeroedBytes() {
      return Math.min(sizeBytes, states.count(ZERO) * blockBytes);
    },
    read: (offset, length, signal) => readRange(state, offset, length, signal),
    extents: (offset, length) => extentsOf(state, offset, length),
    write: (offset, bytes) => withBlocks(state, offset, bytes.length, () => writeRange(state, offset, bytes)),
    writeZeroes: zero,
    trim: zero,
    flush,
    changes: function* changes() {
      for (const run of changedRuns(states)) {
        yield { ...span(state, run), kind: run.state === IN_OVERLAY ? "data" : "zero" };
      }
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function closeAll(
  state: State,
  flush: () => Promise<void>,
  unlock: () => Promise<void>,
): Promise<void> {
  try {
    await flush();
  } finally {
    await state.file.close();
    await state.journal.close();
    await unlock();
  }
}

type Span = { readonly offset: number; readonly length: number };

/** The bytes of a run of blocks; the last block of a disk may be shorter. */
function span(state: State, run: BlockRun, within: Span = { offset: 0, length: state.sizeBytes }): Span {
  const offset = Math.max(within.offset, run.first * state.blockBytes);
  const end = Math.min(within.offset + within.length, (run.first + run.count) * state.blockBytes);
  return { offset, length: end - offset };
}

function runsOf(state: State, offset: number, length: number): Generator<BlockRun> {
  const first = Math.floor(offset / state.blockBytes);
  return state.states.runs(first, Math.ceil((offset + length) / state.blockBytes) - first);
}

async function readRange(
  state: State,
  offset: number,
  length: number,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  const runs = [...runsOf(state, offset, length)];
  // The common case by far: what the base gives is passed on without a copy.
  if (runs.length === 1 && runs[0]?.state === IN_BASE) return state.base.read(offset, length, signal);
  const bytes = Buffer.allocUnsafeSlow(length);
  const parts = runs.map(async (run) => {
    const part = span(state, run, { offset, length });
    const target = bytes.subarray(part.offset - offset, part.offset - offset + part.length);
    if (run.state === ZERO) target.fill(0);
    else if (run.state === IN_OVERLAY) await readFile(state, target, part.offset);
    else target.set(await state.base.read(part.offset, part.length, signal));
  });
  await Promise.all(parts);
  return bytes;
}

async function readFile(state: State, target: Uint8Array, offset: number): Promise<void> {
  for (let done = 0; done < target.length;) {
    const { bytesRead } = await state.file.read(target, done, target.length - done, offset + done);
    if (bytesRead === 0) throw damaged(state.path, `the end of the data at ${offset + done}`);
    done += bytesRead;
  }
}

async function extentsOf(state: State, offset: number, length: number): Promise<readonly Extent[]> {
  const extents: Extent[] = [];
  // All at once, before the first wait, so that the answer speaks of one moment.
  const runs = [...runsOf(state, offset, length)];
  for (const run of runs) {
    const part = span(state, run, { offset, length });
    if (run.state === ZERO) appendExtent(extents, { ...part, kind: "zero" });
    else if (run.state === IN_OVERLAY) appendExtent(extents, { ...part, kind: "data" });
    else
      for (const extent of await state.base.extents(part.offset, part.length)) appendExtent(extents, extent);
  }
  return extents;
}

/** Does a change while no other touches the same blocks; a change of part of a block reads the rest of it. */
async function withBlocks(
  state: State,
  offset: number,
  length: number,
  change: () => Promise<void>,
): Promise<void> {
  if (state.failure !== undefined) throw state.failure;
  if (length === 0) return;
  const first = Math.floor(offset / state.blockBytes);
  const last = Math.floor((offset + length - 1) / state.blockBytes);
  await state.lock.run(first, last, change);
}

/** Writes whole blocks where they are not yet in the overlay; where they are, just the bytes given. */
async function writeRange(state: State, offset: number, bytes: Uint8Array): Promise<void> {
  const { blockBytes, sizeBytes } = state;
  const end = offset + bytes.length;
  const first = Math.floor(offset / blockBytes);
  const last = Math.floor((end - 1) / blockBytes);
  const lastEnd = Math.min(sizeBytes, (last + 1) * blockBytes);
  const start = state.states.get(first) === IN_OVERLAY ? offset : first * blockBytes;
  const until = state.states.get(last) === IN_OVERLAY ? end : lastEnd;
  const [before, after] = await Promise.all([
    readRange(state, start, offset - start, undefined),
    readRange(state, end, until - end, undefined),
  ]);
  const isPartial = before.length + after.length > 0;
  await writeFile(state, start, isPartial ? Buffer.concat([before, bytes, after]) : bytes);
  mark(state, first, last - first + 1, IN_OVERLAY);
}

async function zeroRange(state: State, offset: number, length: number): Promise<void> {
  const { blockBytes, sizeBytes } = state;
  const end = offset + length;
  const firstWhole = Math.ceil(offset / blockBytes);
  const endWhole = end === sizeBytes ? Math.ceil(end / blockBytes) : Math.floor(end / blockBytes);
  if (firstWhole >= endWhole) {
    await zeroPart(state, offset, end);
    return;
  }
  await zeroPart(state, offset, firstWhole * blockBytes);
  await zeroPart(state, Math.min(end, endWhole * blockBytes), end);
  mark(state, firstWhole, endWhole - firstWhole, ZERO);
}

/** Zeroes less than two blocks by writing; blocks that are zero already stay as they are. */
async function zeroPart(state: State, from: number, to: number): Promise<void> {
  for (let at = from; at < to;) {
    const block = Math.floor(at / state.blockBytes);
    const until = Math.min(to, (block + 1) * state.blockBytes);
    if (state.states.get(block) !== ZERO) await writeRange(state, at, Buffer.alloc(until - at));
    at = until;
  }
}

function mark(state: State, first: number, count: number, to: typeof IN_OVERLAY | typeof ZERO): void {
  for (const run of state.states.runs(first, count)) {
    if (run.state !== to) state.unsaved.set(run.first, run.count, IN_OVERLAY);
  }
  state.states.set(first, count, to);
}

/** A failed write leaves the map as it was, so blocks that were not in the overlay still read as before. */
async function writeFile(state: State, offset: number, bytes: Uint8Array): Promise<void> {
  try {
    for (let done = 0; done < bytes.length;) {
      const { bytesWritten } = await state.file.write(bytes, done, bytes.length - done, offset + done);
      done += bytesWritten;
    }
  } catch (cause) {
    const message = `Cannot write ${bytes.length} bytes to the overlay "${state.path}": found ${systemCodeOf(cause) ?? messageOf(cause)}, wanted room; free space on its disk`;
    throw overlayErrors.error("write-failed", message, { cause, values: { path: state.path } });
  }
}

/** Flushes asked while one is running are answered together by the next. */
function groupedFlush(state: State): () => Promise<void> {
  let running: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  const start = (): Promise<void> => {
    running = flushNow(state).finally(() => {
      running = undefined;
    });
    return running;
  };
  return () => {
    if (running === undefined) return start();
    next ??= running
      .catch(() => {})
      .then(() => {
        next = undefined;
        return start();
      });
    return next;
  };
}

async function flushNow(state: State): Promise<void> {
  if (state.failure !== undefined) throw state.failure;
  const saving = state.unsaved;
  state.unsaved = new BlockStates(saving.blockCount);
  // The states as they are now: a block marked from here on is a matter of the next flush.
  const runs: BlockRun[] = [];
  for (const dirty of changedRuns(saving)) runs.push(...state.states.runs(dirty.first, dirty.count));
  try {
    await state.file.datasync();
  } catch (cause) {
    // The kernel may have dropped what it could not write; a later sync would report success for nothing.
    state.failure = flushFailed(state, cause);
    throw state.failure;
  }
  try {
    await state.journal.append(runs);
  } catch (cause) {
    for (const run of changedRuns(saving)) state.unsaved.set(run.first, run.count, IN_OVERLAY);
    throw flushFailed(state, cause);
  }
}

function flushFailed(state: State, cause: unknown): Error {
  const message = `Cannot make the overlay "${state.path}" durable: found ${systemCodeOf(cause) ?? messageOf(cause)}, wanted it on disk; check its disk and its free space`;
  return overlayErrors.error("flush-failed", message, { cause, values: { path: state.path } });
}
