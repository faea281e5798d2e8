/** Restore tests in the database. */

import {
  type CustomerId,
  type DeviceId,
  type RestorePoint,
  type RestoreTest,
  restoreTest,
  type RestoreTestId,
  type RunId,
  type TimelineEntry,
  type VaultId,
} from "@mainstay/contract";
import { type Page, pageAfter, pageFrom, pageLimit, type PageRequest, type Tx } from "@mainstay/platform";
import type { Proof } from "../machines/prove-point.ts";
import type { Failure } from "../runs/run-store.ts";

type TestRow = {
  readonly id: string;
  readonly happened: number;
  readonly customer_id: string;
  readonly device_id: string;
  readonly restore_point_id: string;
  readonly vault_id: string;
  readonly run_id: RunId;
  readonly state: RestoreTest["state"];
  readonly queued_at: Date;
  readonly started_at: Date | null;
  readonly finished_at: Date | null;
  readonly timeline: unknown;
  readonly probes: unknown;
  readonly accelerator: string | null;
  readonly has_screenshot: boolean;
  readonly rto_ms: number | null;
  readonly evidence_sequence: number | null;
  readonly error: unknown;
};

/** All but the picture, which is read alone. */
const SELECT = `select id, happened, customer_id, device_id, restore_point_id, vault_id, run_id, state, queued_at,
  started_at, finished_at, timeline, probes, accelerator, screenshot is not null as has_screenshot, rto_ms,
  evidence_sequence, error from protection.restore_test`;

export async function insertTest(
  tx: Tx,
  test: {
    readonly id: RestoreTestId;
    readonly point: RestorePoint;
    readonly vaultId: VaultId;
    readonly runId: RunId;
  },
  probes: RestoreTest["probes"],
  at: Date,
): Promise<void> {
  await tx.query(
    `insert into protection.restore_test (id, customer_id, device_id, restore_point_id, vault_id, run_id, state, queued_at,
       timeline, probes, versions) values ($1, $2, $3, $4, $5, $6, 'queued', $7, '[]', $8, '{}')`,
    [
      test.id,
      test.point.customerId,
      test.point.deviceId,
      test.point.id,
      test.vaultId,
      test.runId,
      at,
      JSON.stringify(probes),
    ],
  );
}

export async function startTest(tx: Tx, id: string, at: Date): Promise<void> {
  await tx.query(
    "update protection.restore_test set state = 'running', started_at = $2 where id = $1 and finished_at is null",
    [id, at],
  );
}

export async function noteTimeline(tx: Tx, id: string, timeline: readonly TimelineEntry[]): Promise<void> {
  await tx.query("update protection.restore_test set timeline = $2 where id = $1 and finished_at is null", [
    id,
    JSON.stringify(timeline),
  ]);
}

/** The first end stays. Whether this was it. */
export async function finishTest(tx: Tx, id: string, proof: Proof, at: Date): Promise<boolean> {
  const rows = await tx.query(
    `update protection.restore_test set state = $2, finished_at = $3, timeline = $4, probes = $5, accelerator = $6,
       versions = $7, screenshot = $8, rto_ms = $9, error = $10, started_at = coalesce(started_at, $3)
     where id = $1 and finished_at is null returning id`,
    [
      id,
      proof.outcome,
      at,
      JSON.stringify(proof.timeline),
      JSON.stringify(proof.probes),
      proof.accelerator,
      JSON.stringify(proof.versions),
      proof.screenshot === null ? null : Buffer.from(proof.screenshot),
      proof.rtoMs,
      proof.error === null ? null : JSON.stringify(proof.error),
    ],
  );
  return rows.length > 0;
}

/** It came to no result: neither passed nor failed. */
export async function interruptTest(tx: Tx, id: string, error: Failure, at: Date): Promise<void> {
  await tx.query(
    `update protection.restore_test set state = 'interrupted', finished_at = $2, error = $3
     where id = $1 and finished_at is null`,
    [id, at, JSON.stringify(error)],
  );
}

export async function noteEvidence(tx: Tx, id: string, sequence: number): Promise<void> {
  await tx.query("update protection.restore_test set evidence_sequence = $2 where id = $1", [id, sequence]);
}

export async function readTest(tx: Tx, id: string): Promise<RestoreTest | undefined> {
  const [row] = await tx.query<TestRow>(`${SELECT} where id = $1`, [id]);
  return row === undefined ? undefined : testOf(row);
}

export async function readTestOfRun(tx: Tx, runId: RunId): Promise<RestoreTest | undefined> {
  const [row] = await tx.query<TestRow>(`${SELECT} where run_id = $1`, [runId]);
  return row === undefined ? undefined : testOf(row);
}

/** `undefined`: there is none. */
export async function readScreenshot(tx: Tx, id: string): Promise<Uint8Array | undefined> {
  const [row] = await tx.query<{ readonly screenshot: Buffer | null }>(
    "select screenshot from protection.restore_test where id = $1",
    [id],
  );
  return row?.screenshot ?? undefined;
}

export type TestFilter = {
  readonly deviceId?: DeviceId | undefined;
  readonly customerId?: CustomerId | undefined;
  readonly state?: RestoreTest["state"] | undefined;
};

/** Newest first. */
export async function listTests(
  tx: Tx,
  filter: TestFilter,
  request: PageRequest,
): Promise<Page<RestoreTest>> {
  const limit = pageLimit(request);
  const rows = await tx.query<TestRow>(
    `${SELECT} where ($1::uuid is null or device_id = $1) and ($2::uuid is null or customer_id = $2)
       and ($3::text is null or state = $3) and ($4::bigint is null or happened < $4)
     order by happened desc limit $5`,
    [
      filter.deviceId ?? null,
      filter.customerId ?? null,
      filter.state ?? null,
      pageAfter(request)?.[0] ?? null,
      limit + 1,
    ],
  );
  return pageFrom(rows, limit, testOf, (row) => [String(row.happened)]);
}

/** Those that had not ended when last heard of. */
export async function listOpenTests(tx: Tx): Promise<readonly RestoreTest[]> {
  return (await tx.query<TestRow>(`${SELECT} where finished_at is null`)).map(testOf);
}

function testOf(row: TestRow): RestoreTest {
  return restoreTest.parse({
    id: row.id,
    customerId: row.customer_id,
    deviceId: row.device_id,
    restorePointId: row.restore_point_id,
    vaultId: row.vault_id,
    state: row.state,
    queuedAt: row.queued_at.toISOString(),
    startedAt: row.started_at?.toISOString() ?? null,
    finishedAt: row.finished_at?.toISOString() ?? null,
    timeline: row.timeline,
    probes: row.probes,
    accelerator: row.accelerator,
    screenshot: row.has_screenshot ? `/api/restore-tests/${row.id}/screenshot` : null,
    rtoMs: row.rto_ms,
    evidenceSequence: row.evidence_sequence,
    error: row.error,
  });
}
