/**
 * The numbers of the NBD protocol and the shape of its fixed-size headers; all integers are big-endian.
 * Source: https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md
 */

export const INIT_MAGIC = 0x4e42444d41474943n;
export const OPTION_MAGIC = 0x49484156454f5054n;
export const OPTION_REPLY_MAGIC = 0x0003e889045565a9n;
export const REQUEST_MAGIC = 0x25609513;
export const SIMPLE_REPLY_MAGIC = 0x67446698;
export const STRUCTURED_REPLY_MAGIC = 0x668e33ef;

export const REQUEST_HEADER_BYTES = 28;
export const SIMPLE_REPLY_BYTES = 16;
export const CHUNK_HEADER_BYTES = 20;
export const OPTION_HEADER_BYTES = 16;
export const OPTION_REPLY_HEADER_BYTES = 20;

/** The most that one READ or WRITE may carry; what the protocol asks clients to assume when nothing is negotiated. */
export const REQUEST_BYTES_MAX = 32 * 1024 * 1024;
/** The longest string (export name, context, message) that the protocol allows. */
export const STRING_BYTES_MAX = 4096;
export const EXPORT_NAME_PADDING_BYTES = 124;

export const HANDSHAKE_FLAG = { fixedNewstyle: 1 << 0, noZeroes: 1 << 1 } as const;

export const TRANSMISSION_FLAG = {
  hasFlags: 1 << 0,
  readOnly: 1 << 1,
  sendFlush: 1 << 2,
  sendFua: 1 << 3,
  rotational: 1 << 4,
  sendTrim: 1 << 5,
  sendWriteZeroes: 1 << 6,
  sendDf: 1 << 7,
  canMultiConn: 1 << 8,
  sendCache: 1 << 10,
  sendFastZero: 1 << 11,
} as const;

export const OPTION = {
  exportName: 1,
  abort: 2,
  list: 3,
  starttls: 5,
  info: 6,
  go: 7,
  structuredReply: 8,
  listMetaContext: 9,
  setMetaContext: 10,
} as const;

const ERROR_REPLY = 0x80000000;

export const OPTION_REPLY = {
  ack: 1,
  server: 2,
  info: 3,
  metaContext: 4,
  errorUnsupported: ERROR_REPLY + 1,
  errorPolicy: ERROR_REPLY + 2,
  errorInvalid: ERROR_REPLY + 3,
  errorUnknown: ERROR_REPLY + 6,
  errorTooBig: ERROR_REPLY + 9,
} as const;

export const isOptionError = (reply: number): boolean => reply >= ERROR_REPLY;

export const INFO = { export: 0, name: 1, description: 2, blockSize: 3 } as const;

export const COMMAND = {
  read: 0,
  write: 1,
  disconnect: 2,
  flush: 3,
  trim: 4,
  cache: 5,
  writeZeroes: 6,
  blockStatus: 7,
} as const;

export const COMMAND_FLAG = { fua: 1, noHole: 2, df: 4, reqOne: 8, fastZero: 16 } as const;

export const CHUNK_FLAG_DONE = 1;

export const CHUNK = {
  none: 0,
  offsetData: 1,
  offsetHole: 2,
  blockStatus: 5,
  error: 0x8001,
  errorOffset: 0x8002,
} as const;

export const isErrorChunk = (type: number): boolean => (type & 0x8000) !== 0;

export const ALLOCATION_CONTEXT = "base:allocation";
/** Flags of an extent in `base:allocation`. */
export const STATE = { hole: 1, zero: 2 } as const;
/** Flag of an extent in `qemu:dirty-bitmap:NAME`. */
export const DIRTY = 1;

export const ERRNO = {
  EPERM: 1,
  EIO: 5,
  ENOMEM: 12,
  EINVAL: 22,
  ENOSPC: 28,
  EOVERFLOW: 75,
  ENOTSUP: 95,
  ESHUTDOWN: 108,
} as const;

export type ErrnoName = keyof typeof ERRNO;

const ERRNO_NAMES: readonly ErrnoName[] = [
  "EPERM",
  "EIO",
  "ENOMEM",
  "EINVAL",
  "ENOSPC",
  "EOVERFLOW",
  "ENOTSUP",
  "ESHUTDOWN",
];

/** The name of an error number; numbers outside the protocol's list count as EINVAL, as the protocol says. */
export function errnoName(value: number): ErrnoName {
  return ERRNO_NAMES.find((name) => ERRNO[name] === value) ?? "EINVAL";
}

/** Which message an answer belongs to; opaque to the server, so kept as two halves without BigInt cost. */
export type Handle = { readonly high: number; readonly low: number };

export type RequestHeader = {
  readonly magic: number;
  readonly flags: number;
  readonly type: number;
  readonly handle: Handle;
  /** May exceed 2^53 and then is inexact, but still larger than every device. */
  readonly offset: number;
  readonly length: number;
};

const HIGH_WORD = 2 ** 32;

export function readUint64(bytes: Buffer, at: number): number {
  return bytes.readUInt32BE(at) * HIGH_WORD + bytes.readUInt32BE(at + 4);
}

export function writeUint64(bytes: Buffer, value: number, at: number): void {
  bytes.writeUInt32BE(Math.floor(value / HIGH_WORD), at);
  bytes.writeUInt32BE(value % HIGH_WORD, at + 4);
}

export function decodeRequest(bytes: Buffer): RequestHeader {
  return {
    magic: bytes.readUInt32BE(0),
    flags: bytes.readUInt16BE(4),
    type: bytes.readUInt16BE(6),
    handle: { high: bytes.readUInt32BE(8), low: bytes.readUInt32BE(12) },
    offset: readUint64(bytes, 16),
    length: bytes.readUInt32BE(24),
  };
}

export function encodeRequest(request: Omit<RequestHeader, "magic">): Buffer {
  const bytes = Buffer.allocUnsafe(REQUEST_HEADER_BYTES);
  bytes.writeUInt32BE(REQUEST_MAGIC, 0);
  bytes.writeUInt16BE(request.flags, 4);
  bytes.writeUInt16BE(request.type, 6);
  bytes.writeUInt32BE(request.handle.high, 8);
  bytes.writeUInt32BE(request.handle.low, 12);
  writeUint64(bytes, request.offset, 16);
  bytes.writeUInt32BE(request.length, 24);
  return bytes;
}

export function encodeSimpleReply(errno: number, handle: Handle): Buffer {
  const bytes = Buffer.allocUnsafe(SIMPLE_REPLY_BYTES);
  bytes.writeUInt32BE(SIMPLE_REPLY_MAGIC, 0);
  bytes.writeUInt32BE(errno, 4);
  bytes.writeUInt32BE(handle.high, 8);
  bytes.writeUInt32BE(handle.low, 12);
  return bytes;
}

/** The header of a chunk, followed by `extraBytes` of room for the fields at the start of its payload. */
export function encodeChunkHeader(
  chunk: { readonly flags: number; readonly type: number; readonly handle: Handle; readonly length: number },
  extraBytes: number,
): Buffer {
  const bytes = Buffer.allocUnsafe(CHUNK_HEADER_BYTES + extraBytes);
  bytes.writeUInt32BE(STRUCTURED_REPLY_MAGIC, 0);
  bytes.writeUInt16BE(chunk.flags, 4);
  bytes.writeUInt16BE(chunk.type, 6);
  bytes.writeUInt32BE(chunk.handle.high, 8);
  bytes.writeUInt32BE(chunk.handle.low, 12);
  bytes.writeUInt32BE(chunk.length, 16);
  return bytes;
}

/** One option of the handshake, as the client sends it. */
export function encodeOption(option: number, data: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(OPTION_HEADER_BYTES + data.length);
  bytes.writeBigUInt64BE(OPTION_MAGIC, 0);
  bytes.writeUInt32BE(option, 8);
  bytes.writeUInt32BE(data.length, 12);
  bytes.set(data, OPTION_HEADER_BYTES);
  return bytes;
}

/** One reply to an option, as the server sends it. */
export function encodeOptionReply(option: number, reply: number, data: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(OPTION_REPLY_HEADER_BYTES + data.length);
  bytes.writeBigUInt64BE(OPTION_REPLY_MAGIC, 0);
  bytes.writeUInt32BE(option, 8);
  bytes.writeUInt32BE(reply, 12);
  bytes.writeUInt32BE(data.length, 16);
  bytes.set(data, OPTION_REPLY_HEADER_BYTES);
  return bytes;
}

/** A string with its length before it. */
export function lengthPrefixed(text: string): Buffer {
  const encoded = Buffer.from(text, "utf8");
  const bytes = Buffer.allocUnsafe(4 + encoded.length);
  bytes.writeUInt32BE(encoded.length, 0);
  encoded.copy(bytes, 4);
  return bytes;
}
