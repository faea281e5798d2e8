/** Runs in the database. Progress is not there: it is lossy, and kept in memory while the run goes on. */

import {
  type CustomerId,
  type DeviceId,
  type Run,
  run,
  type RunId,
  type RunKind,
  type RunProgress,
  type RunResult,
  type RunState,
} from "@mainstay/contract";
import { type Page, pageAfter, pageFrom, pageLimit, type PageRequest, type Tx } from "@mainstay/platform";

export type Failure = { readonly code: string; readonly message: string };

export type NewRun = {
  readonly id: RunId;
  readonly customerId: CustomerId;
  readonly deviceId: DeviceId;
  readonly kind: RunKind;
  readonly state: "queued" | "running";
  readonly workId?: string | null;
  /** The id of the queued run whose place it takes. */
  readonly askedAs?: string | undefined;
};

export type RunOutcome =
  | { readonly state: "succeeded"; readonly result: RunResult }
  | { readonly state: "failed" | "interrupted"; readonly error: Failure };

type RunRow = {
  readonly id: string;
  readonly happened: number;
  readonly customer_id: string;
  readonly device_id: string;
  readonly kind: RunKind;
  readonly state: RunState;
  readonly queued_at: Date;
  readonly started_at: Date | null;
  readonly finished_at: Date | null;
  readonly result: unknown;
  readonly error: unknown;
};

export type ProgressOf = (id: string) => RunProgress | undefined;

/** Told twice, the first stays. */
export async function insertRun(tx: Tx, made: NewRun, at: Date): Promise<void> {
  await tx.query(
    `insert into protection.run (id, customer_id, device_id, kind, state, work_id, queued_at, started_at, asked_as)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict (id) do nothing`,
    [
      made.id,
      made.customerId,
      made.deviceId,
      made.kind,
      made.state,
      made.workId ?? null,
      at,
      made.state === "running" ? at : null,
      made.askedAs ?? null,
    ],
  );
}

/** Whether it was queued (and now runs). */
export async function startRun(tx: Tx, id: string, at: Date): Promise<boolean> {
  const rows = await tx.query(
    `update protection.run set state = 'running', started_at = $2
     where id = $1 and finished_at is null returning id`,
    [id, at],
  );
  return rows.length > 0;
}

/** Whether it was open: the first outcome stays, so that a record told twice, or late, changes nothing. */
export async function finishRun(tx: Tx, id: string, outcome: RunOutcome, at: Date): Promise<boolean> {
  const result = outcome.state === "succeeded" ? JSON.stringify(outcome.result) : null;
  const error = outcome.state === "succeeded" ? null : JSON.stringify(outcome.error);
  const rows = await tx.query(
    `update protection.run set state = $2, result = $3, error = $4, finished_at = $5,
       started_at = coalesce(started_at, $5)
     where id = $1 and finished_at is null returning id`,
    [id, outcome.state, result, error, at],
  );
  return rows.length > 0;
}

export async function readRun(tx: Tx, id: string, progressOf: ProgressOf): Promise<Run | undefined> {
  const [row] = await tx.query<RunRow>("select * from protection.run where id = $1 or asked_as = $1", [id]);
  return row === undefined ? undefined : runOf(row, progressOf);
}

/** The queued or running run of the kind, if there is one. */
export async function openRun(
  tx: Tx,
  deviceId: DeviceId,
  kind: RunKind,
  progressOf: ProgressOf,
): Promise<Run | undefined> {
  const [row] = await tx.query<RunRow>(
    `select * from protection.run where device_id = $1 and kind = $2 and finished_at is null
     order by happened desc limit 1`,
    [deviceId, kind],
  );
  return row === undefined ? undefined : runOf(row, progressOf);
}

export type RunFilter = {
  readonly deviceId?: DeviceId | undefined;
  readonly customerId?: CustomerId | undefined;
  readonly kind?: RunKind | undefined;
  readonly state?: RunState | undefined;
};

/** Newest first. */
export async function listRuns(
  tx: Tx,
  filter: RunFilter,
  request: PageRequest,
  progressOf: ProgressOf,
): Promise<Page<Run>> {
  const limit = pageLimit(request);
  const rows = await tx.query<RunRow>(
    `select * from protection.run
     where ($1::uuid is null or device_id = $1) and ($2::uuid is null or customer_id = $2)
       and ($3::text is null or kind = $3) and ($4::text is null or state = $4)
       and ($5::bigint is null or happened < $5)
     order by happened desc limit $6`,
    [
      filter.deviceId ?? null,
      filter.customerId ?? null,
      filter.kind ?? null,
      filter.state ?? null,
      pageAfter(request)?.[0] ?? null,
      limit + 1,
    ],
  );
  return pageFrom(
    rows,
    limit,
    (row) => runOf(row, progressOf),
    (row) => [String(row.happened)],
  );
}

/** Open runs of the kinds, oldest first: after a start, those that a former process left. */
export async function listOpenRuns(tx: Tx, kinds: readonly RunKind[]): Promise<readonly Run[]> {
  const rows = await tx.query<RunRow>(
    "select * from protection.run where kind = any($1) and finished_at is null order by happened",
    [kinds],
  );
  return rows.map((row) => runOf(row, () => undefined));
}

/** What the next due time of a kind is worked out from, in the order things happened. */
export async function runHistory(
  tx: Tx,
  deviceId: DeviceId,
  kind: RunKind,
): Promise<{
  readonly lastSucceededAt: Date | null;
  readonly lastAttempt: { readonly startedAt: Date; readonly failedInARow: number } | null;
}> {
  const rows = await tx.query<Pick<RunRow, "state" | "started_at" | "queued_at">>(
    `select state, started_at, queued_at from protection.run where device_id = $1 and kind = $2
       and finished_at is not null order by happened desc limit 30`,
    [deviceId, kind],
  );
  const good = rows.findIndex((row) => row.state === "succeeded");
  const [newest] = rows;
  const succeeded = rows[good];
  const startOf = (row: Pick<RunRow, "started_at" | "queued_at">): Date => row.started_at ?? row.queued_at;
  return {
    lastSucceededAt: succeeded === undefined ? null : startOf(succeeded),
    lastAttempt:
      newest === undefined
        ? null
        : { startedAt: startOf(newest), failedInARow: good === -1 ? rows.length : good },
  };
}

function runOf(row: RunRow, progressOf: ProgressOf): Run {
  return run.parse({
    id: row.id,
    customerId: row.customer_id,
    deviceId: row.device_id,
    kind: row.kind,
    state: row.state,
    queuedAt: row.queued_at.toISOString(),
    startedAt: row.started_at?.toISOString() ?? null,
    finishedAt: row.finished_at?.toISOString() ?? null,
    progress: row.state === "running" ? (progressOf(row.id) ?? null) : null,
    result: row.result,
    error: row.error,
  });
}
