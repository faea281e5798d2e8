/** The client's side of the fixed newstyle handshake. What the server says is length-capped and checked. */

import { nbdErrors } from "./errors.ts";
import {
  EXPORT_NAME_PADDING_BYTES,
  HANDSHAKE_FLAG,
  INFO,
  INIT_MAGIC,
  OPTION,
  OPTION_MAGIC,
  OPTION_REPLY,
  OPTION_REPLY_HEADER_BYTES,
  OPTION_REPLY_MAGIC,
  REQUEST_BYTES_MAX,
  encodeOption,
  isOptionError,
  lengthPrefixed,
  readUint64,
} from "./protocol.ts";
import type { Wire } from "./wire.ts";

const OPTION_REPLY_BYTES_MAX = 64 * 1024;
const OPTION_REPLIES_MAX = 1024;

export type HandshakeWishes = { readonly exportName: string; readonly metaContexts: readonly string[] };

/** What the server granted. */
export type Agreement = {
  readonly sizeBytes: number;
  readonly transmissionFlags: number;
  readonly structuredReplies: boolean;
  /** The granted metadata contexts by the number the server gave them. */
  readonly contexts: ReadonlyMap<number, string>;
  /** Offsets and lengths must be multiples of this. */
  readonly blockBytesMin: number;
  readonly requestBytesMax: number;
};

type OptionReply = { readonly type: number; readonly data: Buffer };

/** Rejects with `nbd.handshake-refused`, `nbd.protocol-violation` or `nbd.disconnected`. */
export async function negotiate(wire: Wire, wishes: HandshakeWishes): Promise<Agreement> {
  const noZeroes = await greet(wire);
  const structured = await ask(wire, OPTION.structuredReply, Buffer.alloc(0));
  const structuredReplies = structured.at(-1)?.type === OPTION_REPLY.ack;
  const contexts = structuredReplies ? await chooseContexts(wire, wishes) : new Map<number, string>();
  const name = lengthPrefixed(wishes.exportName);
  const replies = await ask(wire, OPTION.go, Buffer.concat([name, Buffer.from([0, 1, 0, INFO.blockSize])]));
  const final = replies.at(-1);
  if (final?.type === OPTION_REPLY.errorUnsupported) {
    return { ...(await chooseByName(wire, wishes.exportName, noZeroes)), structuredReplies, contexts };
  }
  if (final?.type !== OPTION_REPLY.ack) throw refused(wishes.exportName, final);
  return { ...readInfo(replies), structuredReplies, contexts };
}

async function greet(wire: Wire): Promise<boolean> {
  const greeting = await wire.read(18);
  const isNbd = greeting.readBigUInt64BE(0) === INIT_MAGIC && greeting.readBigUInt64BE(8) === OPTION_MAGIC;
  if (!isNbd)
    throw violation(`found "${greeting.toString("latin1", 0, 8)}" as greeting, wanted newstyle NBD`);
  const flags = greeting.readUInt16BE(16);
  if ((flags & HANDSHAKE_FLAG.fixedNewstyle) === 0)
    throw violation("found no fixed newstyle handshake, wanted one");
  const answer = Buffer.alloc(4);
  answer.writeUInt32BE(flags & (HANDSHAKE_FLAG.fixedNewstyle | HANDSHAKE_FLAG.noZeroes), 0);
  wire.send([answer]);
  return (flags & HANDSHAKE_FLAG.noZeroes) !== 0;
}

async function chooseContexts(wire: Wire, wishes: HandshakeWishes): Promise<ReadonlyMap<number, string>> {
  const contexts = new Map<number, string>();
  if (wishes.metaContexts.length === 0) return contexts;
  const count = Buffer.alloc(4);
  count.writeUInt32BE(wishes.metaContexts.length, 0);
  const query = [lengthPrefixed(wishes.exportName), count, ...wishes.metaContexts.map(lengthPrefixed)];
  for (const reply of await ask(wire, OPTION.setMetaContext, Buffer.concat(query))) {
    if (reply.type !== OPTION_REPLY.metaContext || reply.data.length < 4) continue;
    contexts.set(reply.data.readUInt32BE(0), reply.data.toString("utf8", 4));
  }
  return contexts;
}

/** The way of servers that know no GO: they answer bare, or hang up. */
async function chooseByName(
  wire: Wire,
  exportName: string,
  noZeroes: boolean,
): Promise<Omit<Agreement, "structuredReplies" | "contexts">> {
  wire.send([encodeOption(OPTION.exportName, Buffer.from(exportName, "utf8"))]);
  const answer = await wire.read(10 + (noZeroes ? 0 : EXPORT_NAME_PADDING_BYTES));
  return {
    sizeBytes: checkedSize(readUint64(answer, 0)),
    transmissionFlags: answer.readUInt16BE(8),
    blockBytesMin: 1,
    requestBytesMax: REQUEST_BYTES_MAX,
  };
}

function readInfo(replies: readonly OptionReply[]): Omit<Agreement, "structuredReplies" | "contexts"> {
  const infos = replies.filter((reply) => reply.type === OPTION_REPLY.info && reply.data.length >= 2);
  const find = (type: number, length: number): Buffer | undefined =>
    infos.find(({ data }) => data.readUInt16BE(0) === type && data.length >= length)?.data;
  const exported = find(INFO.export, 12);
  if (exported === undefined) throw violation("found no size of the export in the answer to GO, wanted one");
  const sizes = find(INFO.blockSize, 14);
  const blockBytesMin = sizes?.readUInt32BE(2) ?? 1;
  if (blockBytesMin === 0 || blockBytesMin > 65536 || (blockBytesMin & (blockBytesMin - 1)) !== 0) {
    throw violation(`found a smallest block of ${blockBytesMin} bytes, wanted a power of two up to 65536`);
  }
  return {
    sizeBytes: checkedSize(readUint64(exported, 2)),
    transmissionFlags: exported.readUInt16BE(10),
    blockBytesMin,
    requestBytesMax: Math.max(
      blockBytesMin,
      Math.min(sizes?.readUInt32BE(10) ?? REQUEST_BYTES_MAX, REQUEST_BYTES_MAX),
    ),
  };
}

function checkedSize(sizeBytes: number): number {
  if (Number.isSafeInteger(sizeBytes)) return sizeBytes;
  throw violation(`found an export of ${sizeBytes} bytes, wanted less than 8 PiB`);
}

/** Sends one option; the server's replies to it, of which the last is the final one. */
async function ask(wire: Wire, option: number, data: Buffer): Promise<readonly OptionReply[]> {
  wire.send([encodeOption(option, data)]);
  const replies: OptionReply[] = [];
  while (replies.length < OPTION_REPLIES_MAX) {
    const header = await wire.read(OPTION_REPLY_HEADER_BYTES);
    const length = header.readUInt32BE(16);
    if (header.readBigUInt64BE(0) !== OPTION_REPLY_MAGIC || header.readUInt32BE(8) !== option) {
      throw violation(`found something else than a reply to option ${option}`);
    }
    const type = header.readUInt32BE(12);
    if (length > OPTION_REPLY_BYTES_MAX) throw violation(`found an option reply of ${length} bytes`);
    replies.push({ type, data: length === 0 ? Buffer.alloc(0) : Buffer.from(await wire.read(length)) });
    if (type === OPTION_REPLY.ack || isOptionError(type)) return replies;
  }
  throw violation(`found more than ${OPTION_REPLIES_MAX} replies to option ${option}`);
}

function refused(exportName: string, reply: OptionReply | undefined): Error {
  const reason = reply?.type === OPTION_REPLY.errorUnknown ? "no such export" : `error ${reply?.type ?? 0}`;
  const text = reply?.data.toString("utf8", 0, 512) ?? "";
  return nbdErrors.error(
    "handshake-refused",
    `Cannot open the NBD export "${exportName}": found ${reason}${text === "" ? "" : ` (${text})`}, wanted it granted; check the name with "nbdinfo --list"`,
    { values: { exportName } },
  );
}

export function violation(what: string): Error {
  return nbdErrors.error(
    "protocol-violation",
    `Cannot go on with the NBD server: ${what}; check what listens there`,
  );
}
