/** The audit log: every change, by whom, in the transaction that makes it. Rows are added and never changed. */

import { auditEntryId, type AuditEntry, type CustomerId } from "@mainstay/contract";
import { newUuid } from "@mainstay/kit";
import type { Tx } from "../database/database.ts";
import { pageAfter, pageFrom, pageLimit, type Page, type PageRequest } from "../database/pages.ts";

export type Actor = AuditEntry["actor"];

/** The server acting by itself: schedules, recovery after a crash. */
export const serverActor: Actor = { kind: "server", id: null, name: "server" };

export type AuditRecord = {
  readonly actor: Actor;
  /** `noun.verb`. */
  readonly action: string;
  readonly customerId: CustomerId | null;
  readonly subject: AuditEntry["subject"];
  /** Never secrets: these are shown. */
  readonly before?: unknown;
  readonly after?: unknown;
};

export async function appendAudit(tx: Tx, record: AuditRecord): Promise<void> {
  await tx.query(
    `insert into audit.entry (id, actor_kind, actor_id, actor_name, action, customer_id,
       subject_kind, subject_id, subject_name, before, after)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
    [
      newUuid(),
      record.actor.kind,
      record.actor.id,
      record.actor.name,
      record.action,
      record.customerId,
      record.subject.kind,
      record.subject.id,
      record.subject.name,
      jsonOf(record.before),
      jsonOf(record.after),
    ],
  );
}

function jsonOf(value: unknown): string | null {
  return value === undefined ? null : JSON.stringify(value);
}

type AuditRow = {
  readonly id: string;
  readonly at: Date;
  readonly actor_kind: Actor["kind"];
  readonly actor_id: string | null;
  readonly actor_name: string;
  readonly action: string;
  readonly customer_id: CustomerId | null;
  readonly subject_kind: string;
  readonly subject_id: string;
  readonly subject_name: string;
  readonly before: unknown;
  readonly after: unknown;
};

export type AuditFilter = {
  readonly customerId?: CustomerId | undefined;
  readonly subjectId?: string | undefined;
  readonly action?: string | undefined;
};

/** Newest first. */
export async function listAudit(
  tx: Tx,
  filter: AuditFilter,
  request: PageRequest,
): Promise<Page<AuditEntry>> {
  const limit = pageLimit(request);
  // Ids are time-ordered: one column is order and cursor.
  const rows = await tx.query<AuditRow>(
    `select * from audit.entry
     where ($1::uuid is null or customer_id = $1) and ($2::text is null or subject_id = $2)
       and ($3::text is null or action = $3) and ($4::uuid is null or id < $4)
     order by id desc limit $5`,
    [
      filter.customerId ?? null,
      filter.subjectId ?? null,
      filter.action ?? null,
      pageAfter(request)?.[0] ?? null,
      limit + 1,
    ],
  );
  return pageFrom(rows, limit, entryOf, (row) => [row.id]);
}

function entryOf(row: AuditRow): AuditEntry {
  return {
    id: auditEntryId.parse(row.id),
    at: row.at.toISOString(),
    actor: { kind: row.actor_kind, id: row.actor_id, name: row.actor_name },
    action: row.action,
    customerId: row.customer_id,
    subject: { kind: row.subject_kind, id: row.subject_id, name: row.subject_name },
    ...(row.before === null ? {} : { before: row.before }),
    ...(row.after === null ? {} : { after: row.after }),
  };
}
