/** Requests under way to an NBD server, and the sorting of its answers to those who wait. */

import { nbdErrors } from "./errors.ts";
import type { Agreement } from "./client-handshake.ts";
import { violation } from "./client-handshake.ts";
import {
  CHUNK,
  CHUNK_FLAG_DONE,
  COMMAND,
  type ErrnoName,
  SIMPLE_REPLY_MAGIC,
  STRUCTURED_REPLY_MAGIC,
  encodeRequest,
  errnoName,
  isErrorChunk,
  readUint64,
} from "./protocol.ts";
import type { Wire } from "./wire.ts";

/** The longest chunk that is not data: 2 Mi extents. */
const CHUNK_BYTES_MAX = 16 * 1024 * 1024;
const HANDLES = 2 ** 32;

/** A run of bytes with the flags that a metadata context gives it. */
export type StatusExtent = { readonly offset: number; readonly length: number; readonly flags: number };

export type ExchangeRequest = {
  readonly type: number;
  readonly flags?: number;
  readonly offset: number;
  readonly length: number;
  /** What a WRITE carries. */
  readonly payload?: Uint8Array;
  /** Where the bytes of a READ go; as long as `length`. */
  readonly target?: Uint8Array;
};

/** What a BLOCK_STATUS found, by context number; empty for other requests. */
export type StatusAnswer = ReadonlyMap<number, readonly StatusExtent[]>;

type Span = { readonly from: number; readonly to: number };

type Pending = {
  readonly request: ExchangeRequest;
  readonly resolve: (answer: StatusAnswer) => void;
  readonly reject: (cause: Error) => void;
  /** The parts of the target that came, to be sure that no byte was left out or sent twice. */
  readonly spans: Span[];
  readonly statuses: Map<number, readonly StatusExtent[]>;
  error: Error | undefined;
};

type ChunkHeader = {
  readonly flags: number;
  readonly type: number;
  readonly pending: Pending;
  readonly handle: number;
  readonly length: number;
};

/** Data on its way into a target. */
type Sink = {
  readonly pending: Pending;
  readonly handle: number;
  readonly part: Uint8Array;
  readonly isDone: boolean;
  filled: number;
};

export class Exchange {
  readonly #wire: Wire;
  readonly #agreement: Agreement;
  readonly #pending = new Map<number, Pending>();
  #nextHandle = 0;
  #failure: Error | undefined;
  #magic: number | undefined;
  #chunk: ChunkHeader | undefined;
  #sink: Sink | undefined;
  #onIdle: (() => void) | undefined;

  constructor(wire: Wire, agreement: Agreement) {
    this.#wire = wire;
    this.#agreement = agreement;
    wire.onBytes(() => this.#pump());
  }

  /** Sends a request at once; many may be under way. Rejects as the server answers, or when the connection ends. */
  ask(request: ExchangeRequest): Promise<StatusAnswer> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const low = this.#takeHandle();
    const { type, flags = 0, offset, length, payload } = request;
    const header = encodeRequest({ type, flags, offset, length, handle: { high: 0, low } });
    this.#wire.send(payload === undefined ? [header] : [header, payload]);
    return new Promise((resolve, reject) => {
      this.#pending.set(low, { request, resolve, reject, spans: [], statuses: new Map(), error: undefined });
    });
  }

  /** Waits for what is under way, then tells the server good-bye. May be called twice; never rejects. */
  async leave(): Promise<void> {
    if (this.#pending.size > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    if (this.#failure === undefined) {
      this.#failure = ended();
      const handle = { high: 0, low: 0 };
      this.#wire.send([encodeRequest({ type: COMMAND.disconnect, flags: 0, offset: 0, length: 0, handle })]);
    }
    this.#wire.socket.end();
  }

  #takeHandle(): number {
    do {
      this.#nextHandle = (this.#nextHandle + 1) % HANDLES;
    } while (this.#pending.has(this.#nextHandle));
    return this.#nextHandle;
  }

  #pump(): void {
    try {
      while (this.#failure === undefined && this.#step() === "go on");
    } catch (cause) {
      // Only violations are thrown here; after one, the stream has no known place to go on from.
      this.#fail(cause instanceof Error ? cause : violation(String(cause)));
      return;
    }
    if (this.#wire.ended) this.#fail(ended());
  }

  #step(): "go on" | "wait" {
    if (this.#sink !== undefined) return this.#takeData(this.#sink);
    if (this.#chunk !== undefined) return this.#takeChunk(this.#chunk);
    this.#magic ??= this.#wire.take(4)?.readUInt32BE(0);
    if (this.#magic === undefined) return "wait";
    if (this.#magic === SIMPLE_REPLY_MAGIC) return this.#takeSimpleReply();
    if (this.#magic === STRUCTURED_REPLY_MAGIC && this.#agreement.structuredReplies)
      return this.#takeChunkHeader();
    throw violation(`found 0x${this.#magic.toString(16)} where a reply should begin`);
  }

  #takeSimpleReply(): "go on" | "wait" {
    const bytes = this.#wire.take(12);
    if (bytes === undefined) return "wait";
    this.#magic = undefined;
    const errno = bytes.readUInt32BE(0);
    const handle = bytes.readUInt32BE(8);
    const pending = this.#expect(bytes.readUInt32BE(4), handle);
    const { target } = pending.request;
    if (errno !== 0) {
      pending.error = serverError(pending.request, errnoName(errno), "");
      this.#settle(handle, pending);
    } else if (target === undefined) this.#settle(handle, pending);
    else if (this.#agreement.structuredReplies)
      throw violation("found a simple reply to a READ, wanted a structured one");
    else {
      pending.spans.push({ from: 0, to: target.length });
      this.#sink = { pending, handle, part: target, isDone: true, filled: 0 };
    }
    return "go on";
  }

  #takeChunkHeader(): "go on" | "wait" {
    const bytes = this.#wire.take(16);
    if (bytes === undefined) return "wait";
    this.#magic = undefined;
    const handle = bytes.readUInt32BE(8);
    const pending = this.#expect(bytes.readUInt32BE(4), handle);
    const length = bytes.readUInt32BE(12);
    this.#chunk = { flags: bytes.readUInt16BE(0), type: bytes.readUInt16BE(2), pending, handle, length };
    if (length > CHUNK_BYTES_MAX && this.#chunk.type !== CHUNK.offsetData) {
      throw violation(`found a chunk of ${length} bytes`);
    }
    return "go on";
  }

  #takeChunk(chunk: ChunkHeader): "go on" | "wait" {
    if (chunk.type === CHUNK.offsetData) return this.#beginData(chunk);
    const payload = this.#wire.take(chunk.length);
    if (payload === undefined) return "wait";
    this.#chunk = undefined;
    const { pending } = chunk;
    if (isErrorChunk(chunk.type)) readError(pending, payload);
    else if (chunk.type === CHUNK.offsetHole) readHole(pending, payload);
    else if (chunk.type === CHUNK.blockStatus) readStatus(pending, payload);
    else if (chunk.type !== CHUNK.none || chunk.length !== 0)
      throw violation(`found a chunk of type ${chunk.type}`);
    if ((chunk.flags & CHUNK_FLAG_DONE) !== 0) this.#settle(chunk.handle, pending);
    return "go on";
  }

  #beginData(chunk: ChunkHeader): "go on" | "wait" {
    const bytes = this.#wire.take(8);
    if (bytes === undefined) return "wait";
    this.#chunk = undefined;
    const { pending, handle } = chunk;
    const part = claimPart(pending, readUint64(bytes, 0), chunk.length - 8);
    this.#sink = { pending, handle, part, isDone: (chunk.flags & CHUNK_FLAG_DONE) !== 0, filled: 0 };
    return "go on";
  }

  #takeData(sink: Sink): "go on" | "wait" {
    sink.filled += this.#wire.fill(sink.part, sink.filled);
    if (sink.filled < sink.part.length) return "wait";
    this.#sink = undefined;
    if (sink.isDone) this.#settle(sink.handle, sink.pending);
    return "go on";
  }

  #expect(high: number, low: number): Pending {
    const pending = high === 0 ? this.#pending.get(low) : undefined;
    if (pending === undefined) throw violation("found an answer to a request that was not made");
    return pending;
  }

  #settle(handle: number, pending: Pending): void {
    this.#pending.delete(handle);
    const { request } = pending;
    if (pending.error !== undefined) pending.reject(pending.error);
    else if (request.target !== undefined && !covers(pending.spans, request.length)) {
      pending.reject(violation("found a read answered with holes or overlaps, wanted every byte once"));
    } else pending.resolve(pending.statuses);
    if (this.#pending.size === 0) this.#onIdle?.();
  }

  #fail(failure: Error): void {
    this.#failure ??= failure;
    this.#wire.destroy();
    const waiting = [...this.#pending.values()];
    this.#pending.clear();
    for (const pending of waiting) pending.reject(failure);
    this.#onIdle?.();
  }
}

/** The part of the target that a content chunk speaks of. */
function claimPart(pending: Pending, offset: number, length: number): Uint8Array {
  const { target, offset: start } = pending.request;
  const from = offset - start;
  if (target === undefined || length <= 0 || from < 0 || from + length > target.length) {
    throw violation("found data that was not asked for");
  }
  pending.spans.push({ from, to: from + length });
  return target.subarray(from, from + length);
}

function readHole(pending: Pending, payload: Buffer): void {
  if (payload.length !== 12) throw violation(`found a hole chunk of ${payload.length} bytes, wanted 12`);
  claimPart(pending, readUint64(payload, 0), payload.readUInt32BE(8)).fill(0);
}

function readStatus(pending: Pending, payload: Buffer): void {
  const isAsked = pending.request.type === COMMAND.blockStatus;
  if (!isAsked || payload.length < 12 || payload.length % 8 !== 4)
    throw violation("found a malformed block status");
  const extents: StatusExtent[] = [];
  const end = pending.request.offset + pending.request.length;
  let offset = pending.request.offset;
  // The last extent may reach beyond what was asked.
  for (let at = 4; at < payload.length && offset < end; at += 8) {
    const length = Math.min(payload.readUInt32BE(at), end - offset);
    if (length === 0) throw violation("found an extent of no bytes");
    extents.push({ offset, length, flags: payload.readUInt32BE(at + 4) });
    offset += length;
  }
  pending.statuses.set(payload.readUInt32BE(0), extents);
}

function readError(pending: Pending, payload: Buffer): void {
  if (payload.length < 6) throw violation("found an error chunk without its fields");
  const textLength = payload.readUInt16BE(4);
  if (6 + textLength > payload.length) throw violation("found an error text longer than its chunk");
  const text = payload.toString("utf8", 6, 6 + Math.min(textLength, 512));
  pending.error ??= serverError(pending.request, errnoName(payload.readUInt32BE(0)), text);
}

function covers(spans: readonly Span[], length: number): boolean {
  let at = 0;
  for (const span of spans.toSorted((left, right) => left.from - right.from)) {
    if (span.from !== at) return false;
    at = span.to;
  }
  return at === length;
}

function serverError(request: ExchangeRequest, errno: ErrnoName, text: string): Error {
  const command = Object.entries(COMMAND).find(([, value]) => value === request.type)?.[0] ?? "request";
  return nbdErrors.error(
    "server-error",
    `Cannot ${command} ${request.length} bytes at ${request.offset} over NBD: found ${errno}${text === "" ? "" : ` (${text})`}; look at the server of this disk`,
    { values: { errno, command, offset: request.offset, length: request.length } },
  );
}

const ended = (): Error =>
  nbdErrors.error("disconnected", "Cannot go on with the NBD connection: it has ended; connect again");
