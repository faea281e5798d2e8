/** The ledger as a file: one signed header line, then one line for each record. */

import { createHash } from "node:crypto";
import * as z from "zod";
import { canonicalJson } from "./canonical-json.ts";
import { type ChainHead, type EvidenceRecord, recordLine } from "./record.ts";
import type { EvidenceSigner } from "./signature.ts";

export const EVIDENCE_FORMAT = "mainstay-evidence";
export const EVIDENCE_FORMAT_VERSION = 1;

/** Which records the file holds: all of the ledger, or those of one customer. */
const scopeSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("ledger") }),
  z.strictObject({ kind: z.literal("customer"), customerId: z.string().min(1).max(64) }),
]);
export type EvidenceScope = Readonly<z.infer<typeof scopeSchema>>;

export const evidenceHeaderSchema = z.strictObject({
  format: z.literal(EVIDENCE_FORMAT),
  version: z.literal(EVIDENCE_FORMAT_VERSION),
  scope: scopeSchema,
  exportedAt: z.iso.datetime(),
  publicKey: z.string().max(64),
  /** The chain's end when the file was made: what tells a file that was cut. */
  head: z.strictObject({ sequence: z.int().nonnegative(), hash: z.string().regex(/^[0-9a-f]{64}$/) }),
  signature: z.string().max(128),
});
export type EvidenceHeader = Readonly<z.infer<typeof evidenceHeaderSchema>>;

/** The header line's value, signed. */
export function sealHeader(
  content: { readonly scope: EvidenceScope; readonly exportedAt: string; readonly head: ChainHead },
  signer: EvidenceSigner,
): EvidenceHeader {
  const unsealed = {
    format: EVIDENCE_FORMAT,
    version: EVIDENCE_FORMAT_VERSION,
    publicKey: signer.publicKey,
    ...content,
  } as const;
  const signature = Buffer.from(signer.sign(headerMessage(unsealed))).toString("base64url");
  return { ...unsealed, signature };
}

/** What the header's signature is over. */
export function headerMessage(header: Omit<EvidenceHeader, "signature">): Uint8Array {
  const digest = createHash("sha256").update(canonicalJson(header), "utf8").digest("hex");
  return Buffer.from(`mainstay evidence header v1\n${digest}\n`, "latin1");
}

/** The file's lines, each with its line end. `records` are those of the scope, in order, up to the header's head. */
export async function* exportLines(
  header: EvidenceHeader,
  records: AsyncIterable<EvidenceRecord> | Iterable<EvidenceRecord>,
): AsyncGenerator<string> {
  yield `${canonicalJson(header)}\n`;
  for await (const record of records) yield `${recordLine(record)}\n`;
}
