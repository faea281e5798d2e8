/** The server's side of the fixed newstyle handshake: which export, and on which terms. */

import type { BlockDevice } from "./block-device.ts";
import {
  ALLOCATION_CONTEXT,
  EXPORT_NAME_PADDING_BYTES,
  HANDSHAKE_FLAG,
  INFO,
  INIT_MAGIC,
  OPTION,
  OPTION_HEADER_BYTES,
  OPTION_MAGIC,
  OPTION_REPLY,
  REQUEST_BYTES_MAX,
  STRING_BYTES_MAX,
  TRANSMISSION_FLAG,
  encodeOptionReply,
  lengthPrefixed,
  writeUint64,
} from "./protocol.ts";
import type { Wire } from "./wire.ts";

/** The option data that is read rather than skipped; a hostile length beyond the second limit ends the connection. */
const OPTION_BYTES_MAX = 64 * 1024;
const OPTION_SKIP_BYTES_MAX = 1024 * 1024;
const BLOCK_BYTES_PREFERRED = 4096;
export const ALLOCATION_CONTEXT_ID = 1;

export type Exports = ReadonlyMap<string, BlockDevice>;

/** What was agreed on, for the transmission that follows. */
export type Session = {
  readonly exportName: string;
  readonly device: BlockDevice;
  readonly structuredReplies: boolean;
  readonly allocationContext: boolean;
};

type Haggling = {
  readonly wire: Wire;
  readonly exports: Exports;
  noZeroes: boolean;
  structuredReplies: boolean;
  /** The export for which the allocation context was asked. */
  contextExport: string | undefined;
};

type Outcome = Session | "go on" | "end";

/** The session agreed on; `undefined` if the client left or broke the rules. Rejects with `nbd.disconnected`. */
export async function shakeHands(wire: Wire, exports: Exports): Promise<Session | undefined> {
  const greeting = Buffer.alloc(18);
  greeting.writeBigUInt64BE(INIT_MAGIC, 0);
  greeting.writeBigUInt64BE(OPTION_MAGIC, 8);
  greeting.writeUInt16BE(HANDSHAKE_FLAG.fixedNewstyle | HANDSHAKE_FLAG.noZeroes, 16);
  wire.send([greeting]);
  const clientFlags = (await wire.read(4)).readUInt32BE(0);
  if ((clientFlags & ~(HANDSHAKE_FLAG.fixedNewstyle | HANDSHAKE_FLAG.noZeroes)) !== 0) return undefined;
  const haggling: Haggling = {
    wire,
    exports,
    noZeroes: (clientFlags & HANDSHAKE_FLAG.noZeroes) !== 0,
    structuredReplies: false,
    contextExport: undefined,
  };
  for (;;) {
    const outcome = await answerOption(haggling);
    if (outcome === "end") return undefined;
    if (outcome !== "go on") return outcome;
  }
}

/** The export that a client means by `name`; the empty name means the only one, if there is but one. */
export function findExport(exports: Exports, name: string): BlockDevice | undefined {
  const found = exports.get(name);
  if (found !== undefined || name !== "" || exports.size !== 1) return found;
  return exports.values().next().value;
}

/** What a device can do, as the transmission flags that clients see. */
export function transmissionFlags(device: BlockDevice, structuredReplies: boolean): number {
  // All connections share the one device, whose flush covers every acknowledged write: hence multi-conn.
  let flags = TRANSMISSION_FLAG.hasFlags | TRANSMISSION_FLAG.canMultiConn | TRANSMISSION_FLAG.sendCache;
  if (structuredReplies) flags |= TRANSMISSION_FLAG.sendDf;
  if (!device.writable) return flags | TRANSMISSION_FLAG.readOnly;
  return (
    flags |
    TRANSMISSION_FLAG.sendFlush |
    TRANSMISSION_FLAG.sendFua |
    TRANSMISSION_FLAG.sendTrim |
    TRANSMISSION_FLAG.sendWriteZeroes |
    TRANSMISSION_FLAG.sendFastZero
  );
}

async function answerOption(haggling: Haggling): Promise<Outcome> {
  const header = await haggling.wire.read(OPTION_HEADER_BYTES);
  if (header.readBigUInt64BE(0) !== OPTION_MAGIC) return "end";
  const option = header.readUInt32BE(8);
  const length = header.readUInt32BE(12);
  if (length > OPTION_BYTES_MAX) return skipOption(haggling, option, length);
  const data = length === 0 ? Buffer.alloc(0) : await haggling.wire.read(length);
  switch (option) {
    case OPTION.exportName:
      return chooseExport(haggling, data);
    case OPTION.abort:
      reply(haggling, option, OPTION_REPLY.ack);
      return "end";
    case OPTION.list:
      return listExports(haggling, data);
    case OPTION.info:
    case OPTION.go:
      return describeExport(haggling, option, data);
    case OPTION.structuredReply:
      return agreeOnStructuredReplies(haggling, data);
    case OPTION.listMetaContext:
    case OPTION.setMetaContext:
      return answerMetaContext(haggling, option, data);
    default:
      return refuse(haggling, option, OPTION_REPLY.errorUnsupported, "option not known here");
  }
}

async function skipOption(haggling: Haggling, option: number, length: number): Promise<Outcome> {
  if (length > OPTION_SKIP_BYTES_MAX || option === OPTION.exportName) return "end";
  await haggling.wire.read(length);
  return refuse(haggling, option, OPTION_REPLY.errorTooBig, `option data above ${OPTION_BYTES_MAX} bytes`);
}

function chooseExport(haggling: Haggling, data: Buffer): Outcome {
  const name = data.toString("utf8");
  const device = findExport(haggling.exports, name);
  if (device === undefined) return "end";
  const answer = Buffer.alloc(10 + (haggling.noZeroes ? 0 : EXPORT_NAME_PADDING_BYTES));
  writeUint64(answer, device.sizeBytes, 0);
  answer.writeUInt16BE(transmissionFlags(device, haggling.structuredReplies), 8);
  haggling.wire.send([answer]);
  return sessionOf(haggling, name, device);
}

function listExports(haggling: Haggling, data: Buffer): Outcome {
  if (data.length > 0) return refuse(haggling, OPTION.list, OPTION_REPLY.errorInvalid, "LIST takes no data");
  for (const name of haggling.exports.keys()) {
    reply(haggling, OPTION.list, OPTION_REPLY.server, lengthPrefixed(name));
  }
  reply(haggling, OPTION.list, OPTION_REPLY.ack);
  return "go on";
}

function agreeOnStructuredReplies(haggling: Haggling, data: Buffer): Outcome {
  const option = OPTION.structuredReply;
  if (data.length > 0)
    return refuse(haggling, option, OPTION_REPLY.errorInvalid, "STRUCTURED_REPLY takes no data");
  haggling.structuredReplies = true;
  reply(haggling, option, OPTION_REPLY.ack);
  return "go on";
}

/** INFO and GO: name length, name, number of information requests, the requests. */
function describeExport(haggling: Haggling, option: number, data: Buffer): Outcome {
  const nameLength = data.length >= 6 ? data.readUInt32BE(0) : Number.MAX_SAFE_INTEGER;
  if (nameLength > STRING_BYTES_MAX || data.length < 6 + nameLength) return malformed(haggling, option);
  const requestCount = data.readUInt16BE(4 + nameLength);
  if (data.length !== 6 + nameLength + 2 * requestCount) return malformed(haggling, option);
  const name = data.toString("utf8", 4, 4 + nameLength);
  const device = findExport(haggling.exports, name);
  if (device === undefined) return refuse(haggling, option, OPTION_REPLY.errorUnknown, "no such export");
  reply(haggling, option, OPTION_REPLY.info, exportInfo(device, haggling.structuredReplies));
  for (let index = 0; index < requestCount; index += 1) {
    const type = data.readUInt16BE(6 + nameLength + 2 * index);
    if (type === INFO.name) reply(haggling, option, OPTION_REPLY.info, nameInfo(name));
  }
  reply(haggling, option, OPTION_REPLY.info, blockSizeInfo());
  reply(haggling, option, OPTION_REPLY.ack);
  return option === OPTION.go ? sessionOf(haggling, name, device) : "go on";
}

function exportInfo(device: BlockDevice, structuredReplies: boolean): Buffer {
  const info = Buffer.alloc(12);
  info.writeUInt16BE(INFO.export, 0);
  writeUint64(info, device.sizeBytes, 2);
  info.writeUInt16BE(transmissionFlags(device, structuredReplies), 10);
  return info;
}

function nameInfo(name: string): Buffer {
  return Buffer.concat([Buffer.from([0, INFO.name]), Buffer.from(name, "utf8")]);
}

function blockSizeInfo(): Buffer {
  const info = Buffer.alloc(14);
  info.writeUInt16BE(INFO.blockSize, 0);
  info.writeUInt32BE(1, 2);
  info.writeUInt32BE(BLOCK_BYTES_PREFERRED, 6);
  info.writeUInt32BE(REQUEST_BYTES_MAX, 10);
  return info;
}

/** Export name, number of queries, the queries; every string with its length before it. */
function answerMetaContext(haggling: Haggling, option: number, data: Buffer): Outcome {
  const isSelection = option === OPTION.setMetaContext;
  if (isSelection) haggling.contextExport = undefined;
  const query = haggling.structuredReplies ? parseMetaContext(data) : undefined;
  if (query === undefined) return malformed(haggling, option);
  if (findExport(haggling.exports, query.exportName) === undefined) {
    return refuse(haggling, option, OPTION_REPLY.errorUnknown, "no such export");
  }
  const asksAll = !isSelection && (query.queries.length === 0 || query.queries.includes("base:"));
  if (asksAll || query.queries.includes(ALLOCATION_CONTEXT)) {
    if (isSelection) haggling.contextExport = query.exportName;
    const context = Buffer.from(`\0\0\0\0${ALLOCATION_CONTEXT}`, "utf8");
    context.writeUInt32BE(isSelection ? ALLOCATION_CONTEXT_ID : 0, 0);
    reply(haggling, option, OPTION_REPLY.metaContext, context);
  }
  reply(haggling, option, OPTION_REPLY.ack);
  return "go on";
}

function parseMetaContext(
  data: Buffer,
): { readonly exportName: string; readonly queries: readonly string[] } | undefined {
  let at = 0;
  const nextString = (): string | undefined => {
    if (at + 4 > data.length) return undefined;
    const length = data.readUInt32BE(at);
    if (length > STRING_BYTES_MAX || at + 4 + length > data.length) return undefined;
    const text = data.toString("utf8", at + 4, at + 4 + length);
    at += 4 + length;
    return text;
  };
  const exportName = nextString();
  if (exportName === undefined || at + 4 > data.length) return undefined;
  const count = data.readUInt32BE(at);
  at += 4;
  const queries: string[] = [];
  // The data is capped, and each query takes 4 bytes of it, so a hostile count ends by itself.
  for (let index = 0; index < count; index += 1) {
    const query = nextString();
    if (query === undefined) return undefined;
    queries.push(query);
  }
  return at === data.length ? { exportName, queries } : undefined;
}

function sessionOf(haggling: Haggling, exportName: string, device: BlockDevice): Session {
  return {
    exportName,
    device,
    structuredReplies: haggling.structuredReplies,
    // Contexts chosen for another export do not count, says the protocol.
    allocationContext: haggling.contextExport === exportName,
  };
}

function malformed(haggling: Haggling, option: number): Outcome {
  return refuse(haggling, option, OPTION_REPLY.errorInvalid, "malformed, or not allowed at this point");
}

function refuse(haggling: Haggling, option: number, error: number, message: string): Outcome {
  reply(haggling, option, error, Buffer.from(message, "utf8"));
  return "go on";
}

function reply(haggling: Haggling, option: number, type: number, data: Uint8Array = Buffer.alloc(0)): void {
  haggling.wire.send([encodeOptionReply(option, type, data)]);
}
