/** The ledger in the database: appended one at a time, in the transaction of what it proves, never changed. */

import type { CustomerId } from "@mainstay/contract";
import { must } from "@mainstay/kit";
import type { Tx } from "@mainstay/platform";
import type { EvidenceScope } from "./export.ts";
import {
  type ChainHead,
  EMPTY_CHAIN,
  type EvidenceContent,
  type EvidenceRecord,
  evidenceRecordSchema,
  recordLine,
  sealRecord,
} from "./record.ts";
import type { EvidenceSigner } from "./signature.ts";

/** Records read at once while exporting. */
const EXPORT_PAGE = 500;

/** For the advisory lock of the transaction: any constant that nothing else uses. */
const LEDGER_LOCK = 4_711_270_021;

/**
 * Puts the content at the end of the ledger. Needs a transaction of the whole scope; it holds the ledger until it commits, so
 * append last. Rolled back, the record never was.
 */
export async function appendEvidence(
  tx: Tx,
  content: EvidenceContent,
  signer: EvidenceSigner,
): Promise<EvidenceRecord> {
  await tx.query("select pg_advisory_xact_lock($1)", [LEDGER_LOCK]);
  const heads = { ledger: await readHead(tx, null), customer: await readHead(tx, content.customerId) };
  const record = sealRecord(content, heads, signer);
  await tx.query(
    `insert into protection.evidence (sequence, customer_sequence, customer_id, device_id, at, hash, line)
     values ($1, $2, $3, $4, $5, $6, $7)`,
    [
      record.sequence,
      record.customerSequence,
      record.customerId,
      record.deviceId,
      record.at,
      record.hash,
      recordLine(record),
    ],
  );
  await writeHead(tx, null, { sequence: record.sequence, hash: record.hash });
  await writeHead(tx, record.customerId, { sequence: record.customerSequence, hash: record.hash });
  return record;
}

/** The end of the chain of the scope; {@link EMPTY_CHAIN} if it has no record. */
export async function headOf(tx: Tx, scope: EvidenceScope): Promise<ChainHead> {
  return await readHead(tx, scope.kind === "ledger" ? null : scope.customerId);
}

/** One page of records of the scope after `sequence` of its chain and up to `last`, oldest first; empty: no more. */
export async function readEvidence(
  tx: Tx,
  scope: EvidenceScope,
  sequence: number,
  last: number,
): Promise<readonly EvidenceRecord[]> {
  const rows =
    scope.kind === "ledger"
      ? await tx.query<EvidenceRow>(
          "select line from protection.evidence where sequence > $1 and sequence <= $2 order by sequence limit $3",
          [sequence, last, EXPORT_PAGE],
        )
      : await tx.query<EvidenceRow>(
          `select line from protection.evidence
           where customer_id = $4 and customer_sequence > $1 and customer_sequence <= $2
           order by customer_sequence limit $3`,
          [sequence, last, EXPORT_PAGE, scope.customerId],
        );
  return rows.map(recordOf);
}

export type EvidenceFilter = {
  readonly customerId?: CustomerId | undefined;
  readonly deviceId?: string | undefined;
};

/** Newest first, before the given sequence. */
export async function listEvidence(
  tx: Tx,
  filter: EvidenceFilter,
  beforeSequence: number | null,
  countMax: number,
): Promise<readonly EvidenceRecord[]> {
  const rows = await tx.query<EvidenceRow>(
    `select line from protection.evidence
     where ($1::uuid is null or customer_id = $1) and ($2::uuid is null or device_id = $2)
       and ($3::bigint is null or sequence < $3)
     order by sequence desc limit $4`,
    [filter.customerId ?? null, filter.deviceId ?? null, beforeSequence, countMax],
  );
  return rows.map(recordOf);
}

type EvidenceRow = { readonly line: string };

/** Read as it was written: the line, not the columns, is what was signed. */
function recordOf({ line }: EvidenceRow): EvidenceRecord {
  return evidenceRecordSchema.parse(JSON.parse(line));
}

async function readHead(tx: Tx, customerId: string | null): Promise<ChainHead> {
  const rows = await tx.query<ChainHead>(
    "select sequence, hash from protection.evidence_head where customer_id is not distinct from $1::uuid",
    [customerId],
  );
  return rows.length === 0 ? EMPTY_CHAIN : must(rows[0], "one head was read");
}

async function writeHead(tx: Tx, customerId: string | null, head: ChainHead): Promise<void> {
  await tx.query(
    `insert into protection.evidence_head (customer_id, sequence, hash) values ($1, $2, $3)
     on conflict (customer_id) do update set sequence = excluded.sequence, hash = excluded.hash`,
    [customerId, head.sequence, head.hash],
  );
}
