/** Asking the server's database for rows, before and after. */

import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "@mainstay/kit";
import { Client } from "pg";

export type SqlPlace = {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
};

export type Rows = readonly { readonly query: string; readonly answer: string }[];

/** What pgbench changed: how often, by how much in sum, and every single account it touched. */
export const HISTORY_QUERY = "select count(*) from pgbench_history";
const QUERIES = [
  HISTORY_QUERY,
  "select sum(delta) from pgbench_history",
  "select sum(bbalance) from pgbench_branches",
  "select md5(string_agg(aid || ':' || abalance, ',' order by aid)) from pgbench_accounts where aid in (select aid from pgbench_history)",
] as const;

const CONNECT_TIMEOUT_MS = 5_000;
const QUERY_TIMEOUT_MS = 120_000;
const PAUSE_MS = 250;

export async function askRows(place: SqlPlace): Promise<Rows> {
  const rows: { query: string; answer: string }[] = [];
  for (const query of QUERIES) rows.push({ query, answer: await ask(place, query) });
  return rows;
}

/** The first answer of a server that may still be starting. */
export async function askUntilAnswered(
  place: SqlPlace,
  query: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<string> {
  const deadlineMs = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await ask(place, query);
    } catch (cause) {
      if (performance.now() > deadlineMs) {
        throw new Error(`Cannot ask ${place.host}:${place.port}: ${messageOf(cause)}`, { cause });
      }
      await sleep(PAUSE_MS, undefined, { signal });
    }
  }
}

async function ask(place: SqlPlace, query: string): Promise<string> {
  const client = new Client({
    ...place,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: QUERY_TIMEOUT_MS,
  });
  // The loss of a connection is told by the query; as an event it would end the process.
  client.on("error", () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<unknown[]>({ text: query, rowMode: "array" });
    return String(rows[0]?.[0]);
  } finally {
    void client.end().catch(() => undefined);
  }
}
