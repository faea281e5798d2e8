/** One query against one database server, as rows of text. A driver is loaded when the first query needs it: recovery starts without. */

import { messageOf, unreachable } from "@mainstay/kit";
import type { SqlProbe } from "./probe-spec.ts";

export type SqlTarget = {
  readonly host: string;
  readonly port: number;
  readonly connectTimeoutMs: number;
  /** A count over a large table may take minutes on a machine without KVM: as long as the probe itself. */
  readonly queryTimeoutMs: number;
};
export type Rows = readonly (readonly string[])[];

/** Connects, asks, disconnects. Rejects with the driver's own error. */
export function querySql(probe: SqlProbe, target: SqlTarget): Promise<Rows> {
  switch (probe.engine) {
    case "postgresql":
      return queryPostgresql(probe, target);
    case "mysql":
      return queryMysql(probe, target);
    case "sqlserver":
      return querySqlServer(probe, target);
    default:
      return unreachable(probe.engine);
  }
}

async function queryPostgresql(
  probe: SqlProbe,
  { host, port, connectTimeoutMs, queryTimeoutMs }: SqlTarget,
): Promise<Rows> {
  const { user, password, database } = probe;
  const { Client } = (await import("pg")).default;
  const client = new Client({
    host,
    port,
    user,
    password,
    database,
    connectionTimeoutMillis: connectTimeoutMs,
    query_timeout: queryTimeoutMs,
    ssl: false,
  });
  // After the end of a connection the driver tells its loss as an event, which nobody needs.
  client.on("error", () => {});
  try {
    await client.connect();
    const result = await client.query<unknown[]>({
      text: probe.query,
      rowMode: "array",
      types: { getTypeParser: () => (value: string) => value },
    });
    return textRows(Array.isArray(result) ? (result.at(-1)?.rows ?? []) : result.rows);
  } finally {
    void client.end().catch(() => {});
  }
}

async function queryMysql(
  probe: SqlProbe,
  { host, port, connectTimeoutMs, queryTimeoutMs }: SqlTarget,
): Promise<Rows> {
  const { user, password, database } = probe;
  const mysql = await import("mysql2/promise");
  const connection = await mysql.createConnection({
    host,
    port,
    user,
    password,
    database,
    connectTimeout: connectTimeoutMs,
    dateStrings: true,
    supportBigNumbers: true,
    bigNumberStrings: true,
  });
  connection.on("error", () => {});
  try {
    const [rows] = await connection.query({ sql: probe.query, rowsAsArray: true, timeout: queryTimeoutMs });
    return textRows(Array.isArray(rows) ? rows : []);
  } finally {
    connection.destroy();
  }
}

async function querySqlServer(
  probe: SqlProbe,
  { host, port, connectTimeoutMs, queryTimeoutMs }: SqlTarget,
): Promise<Rows> {
  const { user: userName, password, database } = probe;
  const { Connection, Request } = await import("tedious");
  const connection = new Connection({
    server: host,
    authentication: { type: "default", options: { userName, password } },
    // The certificate is the guest's own and the way to it is loopback.
    options: {
      port,
      database,
      encrypt: true,
      trustServerCertificate: true,
      connectTimeout: connectTimeoutMs,
      requestTimeout: queryTimeoutMs,
      rowCollectionOnRequestCompletion: true,
    },
  });
  return new Promise<Rows>((resolve, reject) => {
    connection.on("error", () => {});
    connection.connect((failure) => {
      if (failure !== undefined && failure !== null) return reject(failure);
      const request = new Request(probe.query, (failed, _count, rows: unknown) =>
        failed ? reject(failed) : resolve(tediousRows(rows)),
      );
      connection.execSql(request);
    });
  }).finally(() => connection.close());
}

function tediousRows(rows: unknown): Rows {
  if (!Array.isArray(rows)) return [];
  return textRows(
    rows.map((row: unknown) =>
      Array.isArray(row)
        ? row.map((cell: unknown) =>
            typeof cell === "object" && cell !== null && "value" in cell ? cell.value : undefined,
          )
        : [],
    ),
  );
}

function textRows(rows: readonly unknown[]): Rows {
  return rows.map((row) => (Array.isArray(row) ? row.map(cellText) : [cellText(row)]));
}

function cellText(cell: unknown): string {
  if (cell === null || cell === undefined) return "";
  if (cell instanceof Date) return cell.toISOString();
  if (cell instanceof Uint8Array) return `\\x${Buffer.from(cell).toString("hex")}`;
  if (typeof cell === "object") return JSON.stringify(cell);
  return messageOf(cell);
}

/** Whether the server itself spoke, even if only to refuse: the service is there. */
export function isServerAnswer(cause: unknown): boolean {
  if (!(cause instanceof Error)) return false;
  const isPostgresql = "severity" in cause;
  const isMysql = "sqlState" in cause;
  const isSqlServer = "code" in cause && (cause.code === "ELOGIN" || cause.code === "EREQUEST");
  return isPostgresql || isMysql || isSqlServer;
}
