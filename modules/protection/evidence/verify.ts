/**
 * Checks an exported ledger with nothing but the file and the public key, and names the first record that is broken.
 *
 * Format and checks: docs/formats/evidence-ledger.md.
 */

import type { KeyObject } from "node:crypto";
import { canonicalJson, isCanonicalizable } from "./canonical-json.ts";
import { type EvidenceHeader, evidenceHeaderSchema, type EvidenceScope, headerMessage } from "./export.ts";
import {
  type ChainHead,
  EMPTY_CHAIN,
  type EvidenceRecord,
  evidenceRecordSchema,
  recordHash,
  recordMessage,
} from "./record.ts";
import { isSignedBy, parsePublicKey } from "./signature.ts";

/** A longer line is no record of ours. */
export const EVIDENCE_LINE_LENGTH_MAX = 4 * 1024 * 1024;

export type EvidenceFault =
  /** The line is no record, or the file no export. */
  | "malformed"
  /** The content does not match its hash. */
  | "changed"
  /** Content and hash agree, but the key did not sign them. */
  | "wrong-key"
  /** Records that should stand before this one are not in the file. */
  | "missing"
  /** Records stand in another order, or twice. */
  | "reordered"
  /** In its place, signed, but it does not follow from the record before it. */
  | "unlinked"
  /** The file ends before the head it, or the caller, names. */
  | "cut";

export type EvidenceVerdict =
  | {
      readonly state: "intact";
      readonly records: number;
      readonly head: ChainHead;
      readonly scope: EvidenceScope;
      readonly publicKey: string;
      readonly exportedAt: string;
    }
  | {
      readonly state: "broken";
      readonly fault: EvidenceFault;
      /** Line of the file, from 1; the header is line 1. */
      readonly line: number;
      /** Of the record, or of the first one missing; `undefined` for the header. */
      readonly sequence: number | undefined;
      readonly message: string;
    };

export type VerifyOptions = {
  /** The key trusted, base64url. Absent: the header's own, which shows only that the file agrees with itself. */
  readonly publicKey?: string | undefined;
  /** The chain's end as known from elsewhere, such as a printed report: a newer, shorter history is then found. */
  readonly expectedHead?: ChainHead | undefined;
};

type Broken = Extract<EvidenceVerdict, { state: "broken" }>;
type Trust = { readonly header: EvidenceHeader; readonly key: KeyObject };

/** Reads the lines once, holding one record at a time. Lines come without their line ends. */
export async function verifyEvidence(
  lines: AsyncIterable<string> | Iterable<string>,
  options: VerifyOptions = {},
): Promise<EvidenceVerdict> {
  let trust: Trust | undefined;
  let head = EMPTY_CHAIN;
  let gap: Broken | undefined;
  let lineNumber = 0;
  for await (const line of lines) {
    lineNumber += 1;
    if (trust === undefined) {
      const opened = openHeader(line, options);
      if ("state" in opened) return opened;
      trust = opened;
      continue;
    }
    const checked = checkRecord(line, lineNumber, trust, head);
    if (gap !== undefined) {
      // Only whether the missing record comes later is still of interest.
      if (!("state" in checked) && positionOf(checked, trust).sequence === gap.sequence)
        return { ...gap, fault: "reordered", message: reorderedMessage(gap, lineNumber) };
      continue;
    }
    if ("state" in checked) return checked;
    const fault = checkPosition(checked, lineNumber, trust, head);
    if (fault?.fault === "missing") gap = fault;
    else if (fault !== undefined) return fault;
    else head = { sequence: positionOf(checked, trust).sequence, hash: checked.hash };
  }
  if (trust === undefined) return broken("malformed", 1, undefined, "the file is empty");
  return gap ?? checkEnd(trust, head, lineNumber, options) ?? intact(trust, head);
}

function openHeader(line: string, options: VerifyOptions): Trust | Broken {
  const value = parseCanonical(line);
  const parsed = evidenceHeaderSchema.safeParse(value);
  if (!parsed.success)
    return broken(
      "malformed",
      1,
      undefined,
      "the first line is not the header of an evidence export, version 1",
    );
  const { signature, ...content } = parsed.data;
  const publicKey = options.publicKey ?? content.publicKey;
  const key = parsePublicKey(publicKey);
  if (key === undefined)
    return broken("malformed", 1, undefined, `"${publicKey}" is not an Ed25519 public key`);
  if (publicKey !== content.publicKey)
    return broken(
      "wrong-key",
      1,
      undefined,
      `the file was signed with ${content.publicKey}, not with ${publicKey}`,
    );
  if (!isSignedBy(key, headerMessage(content), signature))
    return broken("changed", 1, undefined, "the header does not match its signature");
  return { header: parsed.data, key };
}

/** The record on the line, if its content, hash and signature agree. */
function checkRecord(
  line: string,
  lineNumber: number,
  trust: Trust,
  head: ChainHead,
): EvidenceRecord | Broken {
  const expected = head.sequence + 1;
  const value = parseCanonical(line);
  if (value === undefined)
    return broken("malformed", lineNumber, expected, `line ${lineNumber} is not canonical JSON`);
  const parsed = evidenceRecordSchema.safeParse(value);
  if (!parsed.success)
    return broken("malformed", lineNumber, expected, `line ${lineNumber} is not an evidence record`);
  const record = parsed.data;
  const { sequence } = positionOf(record, trust);
  if (recordHash(record) !== record.hash)
    return broken("changed", lineNumber, sequence, `record ${sequence} does not match its hash`);
  if (!isSignedBy(trust.key, recordMessage(record.hash), record.signature))
    return broken("wrong-key", lineNumber, sequence, `record ${sequence} was not signed by this key`);
  return record;
}

function checkPosition(
  record: EvidenceRecord,
  line: number,
  trust: Trust,
  head: ChainHead,
): Broken | undefined {
  const { scope } = trust.header;
  const { sequence, previousHash } = positionOf(record, trust);
  const expected = head.sequence + 1;
  if (scope.kind === "customer" && record.customerId !== scope.customerId)
    return broken("unlinked", line, sequence, `record ${sequence} is of another customer`);
  if (sequence > expected) {
    const range =
      sequence === expected + 1 ? `record ${expected} is` : `records ${expected} to ${sequence - 1} are`;
    return broken("missing", line, expected, `${range} missing before line ${line}`);
  }
  if (sequence < expected)
    return broken("reordered", line, sequence, `record ${sequence} stands where ${expected} should`);
  if (previousHash !== head.hash)
    return broken("unlinked", line, sequence, `record ${sequence} does not follow from the record before it`);
  return undefined;
}

function checkEnd(trust: Trust, head: ChainHead, line: number, options: VerifyOptions): Broken | undefined {
  for (const wanted of [trust.header.head, options.expectedHead]) {
    if (wanted === undefined || head.hash === wanted.hash) continue;
    const missing = head.sequence < wanted.sequence;
    const message = missing
      ? `the file ends after record ${head.sequence}, but the chain went on to ${wanted.sequence}`
      : `the file ends at record ${head.sequence} with another hash than expected`;
    return broken(missing ? "cut" : "unlinked", line, head.sequence + (missing ? 1 : 0), message);
  }
  return undefined;
}

function intact({ header }: Trust, head: ChainHead): EvidenceVerdict {
  const { scope, publicKey, exportedAt } = header;
  return { state: "intact", records: head.sequence, head, scope, publicKey, exportedAt };
}

/** Its place in the chain that the file holds. */
function positionOf(
  record: EvidenceRecord,
  { header }: Trust,
): { readonly sequence: number; readonly previousHash: string } {
  return header.scope.kind === "ledger"
    ? { sequence: record.sequence, previousHash: record.previousHash }
    : { sequence: record.customerSequence, previousHash: record.customerPreviousHash };
}

/** The value, if the line is its canonical text: two texts for one value would let members hide behind others. */
function parseCanonical(line: string): unknown {
  if (line.length > EVIDENCE_LINE_LENGTH_MAX) return undefined;
  try {
    const value: unknown = JSON.parse(line);
    return isCanonicalizable(value) && canonicalJson(value) === line ? value : undefined;
  } catch {
    return undefined;
  }
}

function reorderedMessage(gap: Broken, line: number): string {
  return `record ${gap.sequence} stands on line ${line}, but belongs before line ${gap.line}`;
}

function broken(fault: EvidenceFault, line: number, sequence: number | undefined, message: string): Broken {
  return { state: "broken", fault, line, sequence, message };
}
