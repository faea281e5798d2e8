/** What each NBD command does to a device, and the parts of its reply. Nothing is sent before all of it succeeded. */

import { messageOf, systemCodeOf, MainstayError } from "@mainstay/kit";

import type { BlockDevice, Extent } from "./block-device.ts";
import {
  CHUNK,
  CHUNK_FLAG_DONE,
  CHUNK_HEADER_BYTES,
  COMMAND,
  COMMAND_FLAG,
  ERRNO,
  type ErrnoName,
  type Handle,
  REQUEST_BYTES_MAX,
  type RequestHeader,
  STATE,
  encodeChunkHeader,
  encodeSimpleReply,
  writeUint64,
} from "./protocol.ts";
import { ALLOCATION_CONTEXT_ID, type Session } from "./server-handshake.ts";

/** Reads below this are answered whole: asking for holes would cost more than it saves. */
const HOLE_SEARCH_BYTES_MIN = 64 * 1024;
/** A hole shorter than this is sent as zeros. */
const HOLE_BYTES_MIN = 4096;
const READ_CHUNKS_MAX = 64;
/** How far one BLOCK_STATUS looks, and how many extents it tells; the client asks on from there. */
const STATUS_BYTES_MAX = 1024 ** 3;
const STATUS_EXTENTS_MAX = 32 * 1024;
const ERROR_TEXT_BYTES_MAX = 512;
const CAUSES_MAX = 8;

export type Reply = readonly Uint8Array[];

/** Flags that the protocol allows for each command, beside FUA, which it allows for all. */
const FLAGS_ALLOWED: Readonly<Record<number, number>> = {
  [COMMAND.read]: COMMAND_FLAG.df,
  [COMMAND.write]: 0,
  [COMMAND.flush]: 0,
  [COMMAND.trim]: 0,
  [COMMAND.cache]: 0,
  [COMMAND.writeZeroes]: COMMAND_FLAG.noHole | COMMAND_FLAG.fastZero,
  [COMMAND.blockStatus]: COMMAND_FLAG.reqOne,
};

const changesDevice = (type: number): boolean =>
  type === COMMAND.write || type === COMMAND.trim || type === COMMAND.writeZeroes;

/** Why a request must not reach the device, if so. */
export function refusalOf(session: Session, request: RequestHeader): ErrnoName | undefined {
  const { type, flags, offset, length } = request;
  const allowed = FLAGS_ALLOWED[type];
  if (allowed === undefined || (flags & ~(allowed | COMMAND_FLAG.fua)) !== 0) return "EINVAL";
  if (changesDevice(type) && !session.device.writable) return "EPERM";
  if ((flags & COMMAND_FLAG.df) !== 0 && !session.structuredReplies) return "EINVAL";
  if (type === COMMAND.blockStatus && (!session.allocationContext || length === 0)) return "EINVAL";
  if (type === COMMAND.flush) return offset === 0 && length === 0 ? undefined : "EINVAL";
  if ((type === COMMAND.read || type === COMMAND.write) && length > REQUEST_BYTES_MAX) return "EINVAL";
  if (offset + length > session.device.sizeBytes) return changesDevice(type) ? "ENOSPC" : "EINVAL";
  return undefined;
}

/** Does what is asked; `payload` is what came with a WRITE. Rejects as the device does. */
export async function perform(session: Session, request: RequestHeader, payload: Uint8Array): Promise<Reply> {
  const { device } = session;
  const { offset, length, handle } = request;
  switch (request.type) {
    case COMMAND.read:
      return session.structuredReplies ? readStructured(device, request) : readSimple(device, request);
    case COMMAND.write:
      await device.write(offset, payload);
      break;
    case COMMAND.flush:
      // A read-only device has nothing to make durable; some clients flush it all the same.
      if (device.writable) await device.flush();
      break;
    case COMMAND.trim:
      await device.trim?.(offset, length);
      break;
    case COMMAND.cache:
      await warm(device, offset, length);
      break;
    case COMMAND.writeZeroes:
      if ((request.flags & COMMAND_FLAG.fastZero) !== 0 && device.zeroesAreFast !== true) {
        return failure(session, handle, "ENOTSUP", "zeroing is not faster than writing here");
      }
      await device.writeZeroes(offset, length);
      break;
    case COMMAND.blockStatus:
      return blockStatus(device, request);
    default:
      return failure(session, handle, "EINVAL", "unknown command");
  }
  if ((request.flags & COMMAND_FLAG.fua) !== 0 && changesDevice(request.type)) await device.flush();
  return [encodeSimpleReply(0, handle)];
}

/** The error number that the protocol has for a failure of the device: EIO unless the cause says more. */
export function errnoOf(failureCause: unknown): ErrnoName {
  let cause = failureCause;
  for (let depth = 0; depth < CAUSES_MAX && cause !== undefined && cause !== null; depth += 1) {
    const code = cause instanceof MainstayError ? cause.values["errno"] : systemCodeOf(cause);
    if (code === "ENOSPC" || code === "EDQUOT" || code === "EFBIG") return "ENOSPC";
    if (code === "EPERM" || code === "EROFS") return "EPERM";
    if (code === "EINVAL" && cause instanceof MainstayError) return "EINVAL";
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return "EIO";
}

/** An error reply, with a text for people where the client can take one. */
export function failure(session: Session, handle: Handle, errno: ErrnoName, reason: unknown): Reply {
  if (!session.structuredReplies) return [encodeSimpleReply(ERRNO[errno], handle)];
  const text = Buffer.from(typeof reason === "string" ? reason : messageOf(reason), "utf8");
  const message = text.subarray(0, ERROR_TEXT_BYTES_MAX);
  const header = encodeChunkHeader(
    { flags: CHUNK_FLAG_DONE, type: CHUNK.error, handle, length: 6 + message.length },
    6,
  );
  header.writeUInt32BE(ERRNO[errno], CHUNK_HEADER_BYTES);
  header.writeUInt16BE(message.length, CHUNK_HEADER_BYTES + 4);
  return [header, message];
}

async function readSimple(device: BlockDevice, request: RequestHeader): Promise<Reply> {
  const bytes = await device.read(request.offset, request.length);
  return [encodeSimpleReply(0, request.handle), bytes];
}

async function readStructured(device: BlockDevice, request: RequestHeader): Promise<Reply> {
  const { offset, length, handle } = request;
  if (length === 0)
    return [encodeChunkHeader({ flags: CHUNK_FLAG_DONE, type: CHUNK.none, handle, length: 0 }, 0)];
  const isWhole = (request.flags & COMMAND_FLAG.df) !== 0 || length < HOLE_SEARCH_BYTES_MIN;
  const runs = isWhole
    ? [{ offset, length, kind: "data" as const }]
    : planChunks(await device.extents(offset, length), offset, length);
  const chunks = await Promise.all(
    runs.map((run, index) => readChunk(device, run, handle, index === runs.length - 1)),
  );
  return chunks.flat();
}

async function readChunk(device: BlockDevice, run: Extent, handle: Handle, isLast: boolean): Promise<Reply> {
  const flags = isLast ? CHUNK_FLAG_DONE : 0;
  if (run.kind === "zero") {
    const hole = encodeChunkHeader({ flags, type: CHUNK.offsetHole, handle, length: 12 }, 12);
    writeUint64(hole, run.offset, CHUNK_HEADER_BYTES);
    hole.writeUInt32BE(run.length, CHUNK_HEADER_BYTES + 8);
    return [hole];
  }
  const bytes = await device.read(run.offset, run.length);
  const header = encodeChunkHeader({ flags, type: CHUNK.offsetData, handle, length: 8 + run.length }, 8);
  writeUint64(header, run.offset, CHUNK_HEADER_BYTES);
  return [header, bytes];
}

/** The chunks of a read: extents with small holes filled in; one piece of data if they would be too many. */
export function planChunks(extents: readonly Extent[], offset: number, length: number): readonly Extent[] {
  const runs: Extent[] = [];
  for (const extent of extents) {
    const kind = extent.kind === "zero" && extent.length >= HOLE_BYTES_MIN ? "zero" : "data";
    const previous = runs.at(-1);
    if (previous?.kind === kind)
      runs[runs.length - 1] = { ...previous, length: previous.length + extent.length };
    else runs.push({ offset: extent.offset, length: extent.length, kind });
    if (runs.length > READ_CHUNKS_MAX) return [{ offset, length, kind: "data" }];
  }
  return runs;
}

/** Brings a range near by reading it; what comes is thrown away. */
async function warm(device: BlockDevice, offset: number, length: number): Promise<void> {
  const end = Math.min(offset + length, offset + REQUEST_BYTES_MAX);
  const step = 1024 * 1024;
  for (let at = offset; at < end; at += step) await device.read(at, Math.min(step, end - at));
}

async function blockStatus(device: BlockDevice, request: RequestHeader): Promise<Reply> {
  const asked = Math.min(request.length, STATUS_BYTES_MAX);
  const extents = await device.extents(request.offset, asked);
  const count =
    (request.flags & COMMAND_FLAG.reqOne) !== 0 ? 1 : Math.min(extents.length, STATUS_EXTENTS_MAX);
  const length = 4 + 8 * count;
  const reply = encodeChunkHeader(
    { flags: CHUNK_FLAG_DONE, type: CHUNK.blockStatus, handle: request.handle, length },
    length,
  );
  reply.writeUInt32BE(ALLOCATION_CONTEXT_ID, CHUNK_HEADER_BYTES);
  for (const [index, extent] of extents.slice(0, count).entries()) {
    const at = CHUNK_HEADER_BYTES + 4 + 8 * index;
    reply.writeUInt32BE(extent.length, at);
    reply.writeUInt32BE(extent.kind === "zero" ? STATE.hole | STATE.zero : 0, at + 4);
  }
  return [reply];
}
