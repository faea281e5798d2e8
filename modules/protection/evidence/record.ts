/**
 * One record of the evidence ledger: what was proven, chained to the record before it and signed.
 *
 * Format: docs/formats/evidence-ledger.md.
 */

import { createHash } from "node:crypto";
import * as z from "zod";
import { canonicalJson, type Json } from "./canonical-json.ts";
import type { EvidenceSigner } from "./signature.ts";

export const EVIDENCE_KINDS = ["restore-test"] as const;

/** The hash that the first record of a chain names as its predecessor's. */
export const NO_PREVIOUS_HASH = "0".repeat(64);

const hash = z.string().regex(/^[0-9a-f]{64}$/);
const sequence = z.int().positive();

export const evidenceRecordSchema = z.strictObject({
  sequence,
  customerSequence: sequence,
  at: z.iso.datetime(),
  kind: z.string().min(1).max(64),
  customerId: z.string().min(1).max(64),
  deviceId: z.string().min(1).max(64),
  body: z.record(z.string(), z.json()),
  previousHash: hash,
  customerPreviousHash: hash,
  hash,
  signature: z.string().max(128),
});
export type EvidenceRecord = Readonly<z.infer<typeof evidenceRecordSchema>>;

/** What is recorded, before it has a place in the chains. */
export type EvidenceContent = Pick<EvidenceRecord, "at" | "kind" | "customerId" | "deviceId" | "body">;

/** The end of a chain; `sequence` 0 with {@link NO_PREVIOUS_HASH}: nothing yet. */
export type ChainHead = { readonly sequence: number; readonly hash: string };

export const EMPTY_CHAIN: ChainHead = { sequence: 0, hash: NO_PREVIOUS_HASH };

/** Puts the content at the end of both chains: the ledger's, and its customer's. */
export function sealRecord(
  content: EvidenceContent,
  heads: { readonly ledger: ChainHead; readonly customer: ChainHead },
  signer: EvidenceSigner,
): EvidenceRecord {
  const unsealed = {
    ...content,
    sequence: heads.ledger.sequence + 1,
    customerSequence: heads.customer.sequence + 1,
    previousHash: heads.ledger.hash,
    customerPreviousHash: heads.customer.hash,
  };
  const sealed = hashOf(unsealed);
  const signature = Buffer.from(signer.sign(recordMessage(sealed))).toString("base64url");
  return { ...unsealed, hash: sealed, signature };
}

/** The record's own hash: SHA-256 over the canonical text of all members but `hash` and `signature`. */
export function recordHash(record: EvidenceRecord): string {
  const { hash: _hash, signature: _signature, ...unsealed } = record;
  return hashOf(unsealed);
}

/** What the signature of a record is over. The label keeps a signature from being used for anything else. */
export function recordMessage(hash: string): Uint8Array {
  return Buffer.from(`mainstay evidence record v1\n${hash}\n`, "latin1");
}

/** The line of the record in an export, without the line end. */
export function recordLine(record: EvidenceRecord): string {
  return canonicalJson(record);
}

function hashOf(value: Json): string {
  return createHash("sha256").update(canonicalJson(value), "utf8").digest("hex");
}
