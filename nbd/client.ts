/** A disk behind an NBD server, as a {@link BlockDevice}; and what its server knows of its blocks, such as dirty bitmaps. */

import { connect } from "node:net";

import { limiter, messageOf } from "@mainstay/kit";

import type { BlockDevice, Extent } from "./block-device.ts";
import { Exchange, type ExchangeRequest, type StatusAnswer, type StatusExtent } from "./client-exchange.ts";
import { type Agreement, negotiate } from "./client-handshake.ts";
import { nbdErrors } from "./errors.ts";
import { appendExtent } from "./extents.ts";
import { ALLOCATION_CONTEXT, COMMAND, STATE, TRANSMISSION_FLAG } from "./protocol.ts";
import { checkAddress, describeAddress, type SocketAddress } from "./socket-address.ts";
import { Wire } from "./wire.ts";

const CONNECT_TIMEOUT_MS = 15_000;
const GOODBYE_TIMEOUT_MS = 5_000;
/** A long read or write goes out in pieces of this size, many at once. */
const PIECE_BYTES = 2 * 1024 * 1024;
const REQUESTS_MAX = 64;
/** How much one read from the socket takes. */
const RECEIVE_BYTES = 256 * 1024;
/** How far one BLOCK_STATUS or WRITE_ZEROES reaches; their length field has 32 bits. */
const RANGE_BYTES_MAX = 1024 ** 3;
const ZEROES = Buffer.alloc(PIECE_BYTES);

export type ConnectNbdOptions = SocketAddress & {
  /** Absent: the server's default export. */
  readonly exportName?: string;
  /** What `blockStatus` will be asked for; absent: `base:allocation`. Not every server grants every context. */
  readonly metaContexts?: readonly string[];
  readonly connectTimeoutMs?: number;
  /** Ends the attempt to connect, not the connection. */
  readonly signal?: AbortSignal;
};

export type NbdClient = BlockDevice &
  AsyncDisposable & {
    /** The metadata contexts that the server granted. */
    readonly contexts: readonly string[];
    /** Whether several connections to this export see one disk, so that reading may be spread over them. */
    readonly canMultiConn: boolean;
    /**
     * What the server says of a range in one context: extents that cover it whole, in order, no two neighbours alike.
     * `base:allocation`: see STATE; `qemu:dirty-bitmap:NAME`: flag 1 is dirty. Rejects with `nbd.context-missing`.
     */
    blockStatus(
      offset: number,
      length: number,
      context: string,
      signal?: AbortSignal,
    ): Promise<readonly StatusExtent[]>;
    trim(offset: number, length: number): Promise<void>;
  };

/** Connects and shakes hands. Rejects with `nbd.connect-failed`, `nbd.handshake-refused` or `nbd.protocol-violation`. */
export async function connectNbd(options: ConnectNbdOptions): Promise<NbdClient> {
  checkAddress(options);
  const timeout = AbortSignal.timeout(options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS);
  const signal = options.signal === undefined ? timeout : AbortSignal.any([timeout, options.signal]);
  const wire = await openWire(options, signal);
  const giveUp = (): void => wire.destroy();
  signal.addEventListener("abort", giveUp, { once: true });
  try {
    const agreement = await negotiate(wire, {
      exportName: options.exportName ?? "",
      metaContexts: options.metaContexts ?? [ALLOCATION_CONTEXT],
    });
    return clientOf(wire, agreement);
  } catch (cause) {
    wire.destroy();
    options.signal?.throwIfAborted();
    throw cause;
  } finally {
    signal.removeEventListener("abort", giveUp);
  }
}

function openWire(address: SocketAddress, signal: AbortSignal): Promise<Wire> {
  return new Promise((resolve, reject) => {
    const target = "path" in address ? { path: address.path } : { host: address.host, port: address.port };
    const onread = {
      buffer: Buffer.allocUnsafeSlow(RECEIVE_BYTES),
      callback: (length: number, bytes: Uint8Array): boolean => {
        wire.receiveShared(Buffer.from(bytes.buffer, bytes.byteOffset, length));
        return true;
      },
    };
    const socket = connect({ ...target, noDelay: true, onread });
    const wire = new Wire(socket);
    const fail = (cause: unknown): void => {
      signal.removeEventListener("abort", onAbort);
      socket.destroy();
      const where = describeAddress(address);
      const message = `Cannot connect to the NBD server at ${where}: ${messageOf(cause)}; check that it runs`;
      reject(nbdErrors.error("connect-failed", message, { cause, values: { address: where } }));
    };
    const onAbort = (): void => fail(signal.reason);
    socket.once("error", fail);
    socket.once("connect", () => {
      socket.off("error", fail);
      signal.removeEventListener("abort", onAbort);
      resolve(wire);
    });
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
  });
}

function clientOf(wire: Wire, agreement: Agreement): NbdClient {
  const exchange = new Exchange(wire, agreement);
  const can = (flag: number): boolean => (agreement.transmissionFlags & flag) !== 0;
  const ask = boundedAsk(exchange);
  const contexts = [...agreement.contexts.values()];
  const blockStatus: NbdClient["blockStatus"] = async (offset, length, context, signal) => {
    const id = [...agreement.contexts].find(([, name]) => name === context)?.[0];
    if (id === undefined) throw contextMissing(context, contexts);
    return statusOfRange(ask, agreement, id, { offset, length, signal });
  };
  const sendZeroes = (offset: number, length: number): Promise<void> =>
    can(TRANSMISSION_FLAG.sendWriteZeroes)
      ? inRanges(offset, length, RANGE_BYTES_MAX, (at, part) =>
          ask({ type: COMMAND.writeZeroes, offset: at, length: part }),
        )
      : writePieces(ask, agreement, offset, length, (from, to) => ZEROES.subarray(0, to - from));
  const close = (): Promise<void> => sayGoodbye(wire, exchange);
  return {
    sizeBytes: agreement.sizeBytes,
    writable: !can(TRANSMISSION_FLAG.readOnly),
    contexts,
    canMultiConn: can(TRANSMISSION_FLAG.canMultiConn),
    read: (offset, length, signal) => readRange(ask, agreement, { offset, length, signal }),
    extents: async (offset, length) => {
      if (!contexts.includes(ALLOCATION_CONTEXT))
        return length === 0 ? [] : [{ offset, length, kind: "data" }];
      return allocationExtents(await blockStatus(offset, length, ALLOCATION_CONTEXT));
    },
    blockStatus,
    write: (offset, bytes) =>
      writePieces(ask, agreement, offset, bytes.length, (from, to) => bytes.subarray(from, to)),
    writeZeroes: sendZeroes,
    trim: async (offset, length) => {
      if (!can(TRANSMISSION_FLAG.sendTrim)) return;
      await inRanges(offset, length, RANGE_BYTES_MAX, (at, part) =>
        ask({ type: COMMAND.trim, offset: at, length: part }),
      );
    },
    flush: async () => {
      if (can(TRANSMISSION_FLAG.sendFlush)) await ask({ type: COMMAND.flush, offset: 0, length: 0 });
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

type Ask = (request: ExchangeRequest, signal?: AbortSignal) => Promise<StatusAnswer>;

type Range = { readonly offset: number; readonly length: number; readonly signal: AbortSignal | undefined };

/** At most so many requests under way; an aborted one is forgotten, and its answer dropped when it comes. */
function boundedAsk(exchange: Exchange): Ask {
  const places = limiter(REQUESTS_MAX);
  return async (request, signal) => {
    const answer = places.run(() => {
      signal?.throwIfAborted();
      return exchange.ask(request);
    });
    return signal === undefined ? answer : abortable(answer, signal);
  };
}

function abortable<Result>(task: Promise<Result>, signal: AbortSignal): Promise<Result> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    task.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
    if (signal.aborted) onAbort();
  });
}

async function readRange(ask: Ask, agreement: Agreement, range: Range): Promise<Uint8Array> {
  checkRange(agreement, range.offset, range.length);
  const aligned = alignOut(agreement, range);
  const bytes = Buffer.allocUnsafeSlow(aligned.length);
  const piece = pieceBytes(agreement);
  await inRanges(aligned.offset, aligned.length, piece, (offset, length) => {
    const from = offset - aligned.offset;
    return ask(
      { type: COMMAND.read, offset, length, target: bytes.subarray(from, from + length) },
      range.signal,
    );
  });
  const from = range.offset - aligned.offset;
  return aligned.length === range.length ? bytes : bytes.subarray(from, from + range.length);
}

async function writePieces(
  ask: Ask,
  agreement: Agreement,
  offset: number,
  length: number,
  payloadOf: (from: number, to: number) => Uint8Array,
): Promise<void> {
  checkRange(agreement, offset, length);
  const block = agreement.blockBytesMin;
  if (offset % block !== 0 || length % block !== 0) {
    throw nbdErrors.error(
      "request-invalid",
      `Cannot write ${length} bytes at ${offset}: the server takes multiples of ${block} only; write whole blocks`,
      { values: { offset, length, block } },
    );
  }
  await inRanges(offset, length, pieceBytes(agreement), (at, part) => {
    const payload = payloadOf(at - offset, at - offset + part);
    return ask({ type: COMMAND.write, offset: at, length: part, payload });
  });
}

/** Asks on from where the server stopped, until the range is covered. */
async function statusOfRange(
  ask: Ask,
  agreement: Agreement,
  id: number,
  range: Range,
): Promise<readonly StatusExtent[]> {
  checkRange(agreement, range.offset, range.length);
  const end = range.offset + range.length;
  const { offset, length } = alignOut(agreement, range);
  const extents: StatusExtent[] = [];
  for (let at = offset; at < end;) {
    const part = Math.min(RANGE_BYTES_MAX, offset + length - at);
    const answer = await ask({ type: COMMAND.blockStatus, flags: 0, offset: at, length: part }, range.signal);
    const found = answer.get(id);
    if (found === undefined || found.length === 0) throw contextMissing(`number ${id}`, []);
    for (const extent of found) {
      at = extent.offset + extent.length;
      appendStatus(extents, clip(extent, range.offset, end));
    }
  }
  return extents;
}

function appendStatus(extents: StatusExtent[], next: StatusExtent): void {
  if (next.length <= 0) return;
  const last = extents.at(-1);
  if (last?.flags === next.flags)
    extents[extents.length - 1] = { ...last, length: last.length + next.length };
  else extents.push(next);
}

function clip(extent: StatusExtent, start: number, end: number): StatusExtent {
  const offset = Math.max(extent.offset, start);
  return { offset, length: Math.min(extent.offset + extent.length, end) - offset, flags: extent.flags };
}

function allocationExtents(statuses: readonly StatusExtent[]): readonly Extent[] {
  const extents: Extent[] = [];
  for (const { offset, length, flags } of statuses) {
    appendExtent(extents, { offset, length, kind: (flags & STATE.zero) === 0 ? "data" : "zero" });
  }
  return extents;
}

/** Does a long range in parts, all at once (the limiter holds back); rejects with the first failure. */
async function inRanges(
  offset: number,
  length: number,
  partBytes: number,
  doPart: (offset: number, length: number) => Promise<unknown>,
): Promise<void> {
  const end = offset + length;
  const parts: Promise<unknown>[] = [];
  for (let at = offset; at < end; at += partBytes) parts.push(doPart(at, Math.min(partBytes, end - at)));
  await Promise.all(parts);
}

function pieceBytes(agreement: Agreement): number {
  const block = agreement.blockBytesMin;
  return Math.max(block, Math.floor(Math.min(PIECE_BYTES, agreement.requestBytesMax) / block) * block);
}

function alignOut(agreement: Agreement, range: Range): { readonly offset: number; readonly length: number } {
  const block = agreement.blockBytesMin;
  const offset = Math.floor(range.offset / block) * block;
  return { offset, length: Math.ceil((range.offset + range.length) / block) * block - offset };
}

function checkRange(agreement: Agreement, offset: number, length: number): void {
  if (offset >= 0 && length >= 0 && offset + length <= agreement.sizeBytes) return;
  throw nbdErrors.error(
    "request-invalid",
    `Cannot use ${length} bytes at ${offset}: the device has ${agreement.sizeBytes} bytes; ask within it`,
    { values: { offset, length, sizeBytes: agreement.sizeBytes } },
  );
}

function contextMissing(context: string, granted: readonly string[]): Error {
  return nbdErrors.error(
    "context-missing",
    `Cannot tell the block status in "${context}": the server granted ${granted.join(", ") || "no context"}; ask for it when connecting, and check that the server exports it`,
    { values: { context, granted } },
  );
}

async function sayGoodbye(wire: Wire, exchange: Exchange): Promise<void> {
  const timer = setTimeout(() => wire.destroy(), GOODBYE_TIMEOUT_MS);
  await exchange.leave();
  await wire.closed;
  clearTimeout(timer);
}
