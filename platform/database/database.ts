/** The only doors to the tables: a transaction that row-level security confines to a customer scope. */

import { Kysely, PostgresDialect, sql, type Transaction } from "kysely";
import { Pool, types } from "pg";
import { assert, messageOf } from "@mainstay/kit";
import { databaseErrors } from "./errors.ts";
import { allCustomers, scopeSetting, type Scope } from "./scope.ts";

const POOL_SIZE_MAX = 16;
const CONNECT_MS_MAX = 10_000;
/** A transaction that its code forgot would keep rows locked for ever. */
const IDLE_IN_TRANSACTION_MS_MAX = 60_000;

// Byte counts and sequence numbers are bigint columns; all of ours are below 2^53.
types.setTypeParser(types.builtins.INT8, Number);

/** A transaction. Its queries fail after the work that it was handed to has ended. */
export type Tx = {
  /** Queries over the tables of one module; `Tables` maps `schema.table` to its columns. */
  tables<Tables>(): Transaction<Tables>;
  /** Runs SQL with `$1` parameters. */
  query<Row>(text: string, values?: readonly unknown[]): Promise<readonly Row[]>;
  /** Runs `task` once the transaction is committed; never when it is rolled back. */
  afterCommit(task: () => void): void;
};

export type Database = {
  /** Runs `work` in one transaction that sees only the rows of `scope`. Commits when it resolves, else rolls back. */
  inScope<Result>(scope: Scope, work: (tx: Tx) => Promise<Result>): Promise<Result>;
  /** As `inScope` with every customer. `reason` is for readers of the code and of pg_stat_activity. */
  asSystem<Result>(reason: string, work: (tx: Tx) => Promise<Result>): Promise<Result>;
  /** Connections of the application role; for jobs and notifications only. */
  readonly pool: Pool;
  close(): Promise<void>;
};

export type DatabaseAddress = {
  /** A folder with the unix socket, or a host name. */
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: string;
};

/** Opens the pool; `address.user` must be the application role, which row-level security binds. */
export function openDatabase(address: DatabaseAddress, log: (text: string) => void): Database {
  const pool = new Pool({
    ...address,
    max: POOL_SIZE_MAX,
    connectionTimeoutMillis: CONNECT_MS_MAX,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS_MAX,
    application_name: "mainstay",
  });
  // An idle connection that PostgreSQL ended (restart, kill -9): the pool makes a new one at the next query.
  const closing = new AbortController();
  pool.on("error", (cause) => {
    if (!closing.signal.aborted) log(`a database connection ended: ${messageOf(cause)}`);
  });
  const kysely = new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) });
  const inScope = <Result>(scope: Scope, work: (tx: Tx) => Promise<Result>, reason = ""): Promise<Result> =>
    runInScope(kysely, scope, reason, work);
  return {
    inScope: (scope, work) => inScope(scope, work),
    asSystem: (reason, work) => inScope(allCustomers, work, reason),
    pool,
    close: () => {
      closing.abort();
      return kysely.destroy();
    },
  };
}

async function runInScope<Result>(
  kysely: Kysely<unknown>,
  scope: Scope,
  reason: string,
  work: (tx: Tx) => Promise<Result>,
): Promise<Result> {
  const afterwards: (() => void)[] = [];
  const result = await kysely.transaction().execute(async (transaction) => {
    await sql`select set_config('mainstay.customer_scope', ${scopeSetting(scope)}, true),
      set_config('application_name', ${`mainstay ${reason}`.trim()}, true)`.execute(transaction);
    return work(txOf(transaction, afterwards));
  });
  for (const task of afterwards) task();
  return result;
}

function txOf(transaction: Transaction<unknown>, afterwards: (() => void)[]): Tx {
  return {
    // A module names its own tables; which they are is its migrations' business and not known to this type.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    tables: <Tables>() => transaction as Transaction<Tables>,
    query: async <Row>(text: string, values: readonly unknown[] = []) => {
      const { rows } = await transaction.executeQuery<Row>({
        sql: text,
        parameters: values,
        query: { kind: "RawNode", sqlFragments: [text], parameters: [] },
        queryId: { queryId: "raw" },
      });
      return rows;
    },
    afterCommit: (task) => {
      afterwards.push(task);
    },
  };
}

/** Rejects with `database.unreachable` unless the database answers. */
export async function checkReachable(database: Database): Promise<void> {
  try {
    const { rows } = await database.pool.query<{ one: number }>("select 1 as one");
    assert(rows[0]?.one === 1, "PostgreSQL answers select 1 with 1");
  } catch (cause) {
    throw databaseErrors.error(
      "unreachable",
      `Cannot reach the database: ${messageOf(cause)}; check that it runs and that DATABASE_URL is right`,
      { cause },
    );
  }
}

/** The one row of a query that must have one. */
export function oneRow<Row>(rows: readonly Row[]): Row {
  const row = rows[0];
  assert(row !== undefined && rows.length === 1, `one row was expected, ${rows.length} came`);
  return row;
}
