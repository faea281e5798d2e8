/**
 * What the server must learn and has not yet acknowledged: numbered records in one file, durable before they are sent.
 *
 * The file: a line `{"next":N}` (the number of the first record that the file may hold), then a line for each record;
 * every line begins with the CRC-32 of the rest of it in eight hexadecimal digits. A torn last line is what a crash
 * leaves of a record that nobody was told of, and is dropped.
 */

import { type FileHandle, open, truncate } from "node:fs/promises";
import { crc32 } from "node:zlib";
import { agentRecord, type AgentRecord } from "@mainstay/contract";
import * as z from "zod";
import { readIfThere, unwritable, writeDurably } from "../state/durable-file.ts";

/** What is put into the outbox; it gives the number. */
export type OutboxContent = AgentRecord extends infer Record
  ? Record extends AgentRecord
    ? Omit<Record, "type" | "sequence">
    : never
  : never;

export type Outbox = {
  /** Resolves with the record's number when it is durable. Records keep the order of the calls. */
  append(content: OutboxContent): Promise<number>;
  /** Records after the given number that are not yet acknowledged, oldest first. */
  after(sequence: number, countMax: number): readonly AgentRecord[];
  /** The server holds all up to `sequence`; may be told again. */
  acknowledge(sequence: number): Promise<void>;
  /** Calls back after every append; the returned function ends that. */
  onAppend(listener: () => void): () => void;
  readonly lastSequence: number;
  /** Numbers of lines that could not be read at opening: what they told is lost. */
  readonly damagedLines: readonly number[];
  close(): Promise<void>;
};

/** Acknowledged records stay in the file until they are this many bytes. */
export const COMPACT_BYTES = 64 * 1024;

const headSchema = z.strictObject({ next: z.int().positive() });

type Contents = {
  readonly records: readonly AgentRecord[];
  readonly next: number;
  /** Bytes of the file that are whole lines. */
  readonly wholeBytes: number;
  readonly damagedLines: readonly number[];
};

/** Opens the outbox of the file; makes it if it is not there. */
export async function openOutbox(file: string): Promise<Outbox> {
  const contents = parseOutbox((await readIfThere(file)) ?? Buffer.alloc(0));
  if (contents.wholeBytes === 0) await writeDurably(file, lineOf({ next: contents.next }));
  else await truncate(file, contents.wholeBytes);
  return createOutbox(file, contents, await open(file, "a", 0o600));
}

/** What the bytes of an outbox file hold. Never fails: what cannot be read is told in `damagedLines`. */
export function parseOutbox(bytes: Buffer): Contents {
  const records: AgentRecord[] = [];
  const damagedLines: number[] = [];
  let next = 1;
  let start = 0;
  for (let line = 1; start < bytes.length; line += 1) {
    const end = bytes.indexOf(0x0a, start);
    if (end === -1) break;
    const value = parseLine(bytes.subarray(start, end));
    start = end + 1;
    const head = headSchema.safeParse(value);
    const record = agentRecord.safeParse(value);
    if (head.success) next = Math.max(next, head.data.next);
    else if (record.success && record.data.sequence >= next) {
      records.push(record.data);
      next = record.data.sequence + 1;
    } else damagedLines.push(line);
  }
  return { records, next, wholeBytes: start, damagedLines };
}

function createOutbox(file: string, contents: Contents, opened: FileHandle): Outbox {
  let pending = [...contents.records];
  let next = contents.next;
  let handle = opened;
  let deadBytes = 0;
  let queue: Promise<unknown> = Promise.resolve();
  const listeners = new Set<() => void>();

  /** One change of the file at a time. */
  const inTurn = <Result>(change: () => Promise<Result>): Promise<Result> => {
    const result = queue.then(change);
    queue = result.catch(() => undefined);
    return result;
  };

  const rewrite = async (): Promise<void> => {
    const first = pending[0]?.sequence ?? next;
    await writeDurably(file, lineOf({ next: first }) + pending.map(lineOf).join(""));
    await handle.close();
    handle = await open(file, "a", 0o600);
    deadBytes = 0;
  };

  const append = async (content: OutboxContent): Promise<number> => {
    const record = agentRecord.parse({ type: "record", sequence: next, ...content });
    await appendLine(handle, file, lineOf(record));
    next += 1;
    pending.push(record);
    return record.sequence;
  };

  const acknowledge = async (sequence: number): Promise<void> => {
    if (sequence >= next) {
      // The server knows more than we: this folder was put back to an older state. What we hold is new to the server.
      pending = pending.map((record, index) => ({ ...record, sequence: sequence + 1 + index }));
      next = sequence + 1 + pending.length;
      await rewrite();
      return;
    }
    const known = pending.filter((record) => record.sequence <= sequence);
    pending = pending.filter((record) => record.sequence > sequence);
    deadBytes += known.reduce((bytes, record) => bytes + lineOf(record).length, 0);
    if (deadBytes >= COMPACT_BYTES) await rewrite();
  };

  return {
    append: async (content) => {
      const sequence = await inTurn(() => append(content));
      for (const listener of listeners) listener();
      return sequence;
    },
    after: (sequence, countMax) => pending.filter((record) => record.sequence > sequence).slice(0, countMax),
    acknowledge: (sequence) => inTurn(() => acknowledge(sequence)),
    onAppend: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    get lastSequence() {
      return next - 1;
    },
    damagedLines: contents.damagedLines,
    close: () => inTurn(() => handle.close()),
  };
}

async function appendLine(handle: FileHandle, file: string, line: string): Promise<void> {
  const { size } = await handle.stat();
  try {
    await handle.appendFile(line);
    await handle.datasync();
  } catch (cause) {
    // Half a line would join the next record's; a failure here shows again at the next append.
    await handle.truncate(size).catch(() => undefined);
    throw unwritable(file, cause);
  }
}

function lineOf(value: object): string {
  const json = JSON.stringify(value);
  return `${checksum(json)} ${json}\n`;
}

/** The line's value, or `undefined` if its checksum or its JSON is wrong. */
function parseLine(line: Buffer): unknown {
  const text = line.toString("utf8");
  const json = text.slice(9);
  if (text.slice(0, 9) !== `${checksum(json)} `) return undefined;
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

function checksum(json: string): string {
  return crc32(json).toString(16).padStart(8, "0");
}
