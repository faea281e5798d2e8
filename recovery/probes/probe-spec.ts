/** What is asked of a recovered machine to prove that it works. Plain values, also the JSON form. */

import { unreachable } from "@mainstay/kit";

export type SqlEngine = "postgresql" | "mysql" | "sqlserver";

type Shared = {
  /** How long to try until the probe counts as failed. */
  readonly timeoutMs: number;
};

export type TcpProbe = Shared & {
  readonly kind: "tcp";
  readonly port: number;
  /** In what the service sends first. */ readonly text?: string;
};

export type HttpProbe = Shared & {
  readonly kind: "http" | "https";
  readonly port: number;
  readonly path: string;
  readonly status: number;
  /** In the first 256 KiB of the body. */
  readonly text?: string;
};

export type SqlProbe = Shared & {
  readonly kind: "sql";
  readonly engine: SqlEngine;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly query: string;
  /** The rows as `psql -At` prints them: columns joined by `|`, rows by line feeds, NULL empty. Absent: any answer will do. */
  readonly expect?: string;
};

/** `pattern` is a regular expression, in any case of letters. */
export type ScreenProbe = Shared & { readonly kind: "screen"; readonly pattern: string };

export type GuestProbe = Shared & {
  readonly kind: "guest";
  readonly path: string;
  readonly args: readonly string[];
  readonly exitCode: number;
  /** In what the command prints. */
  readonly text?: string;
};

export type ProbeSpec = TcpProbe | HttpProbe | SqlProbe | ScreenProbe | GuestProbe;

export type ProbeResult = {
  readonly state: "passed" | "failed";
  /** What the probe asks, without secrets: fit for evidence. */
  readonly asked: string;
  /** The last answer, cut at 2,000 characters, without secrets. */
  readonly answer: string;
  readonly tookMs: number;
  readonly attempts: number;
  /** Why it failed. */
  readonly error?: string;
};

/** The port of the guest that a probe needs forwarded. */
export function portOf(spec: ProbeSpec): number | undefined {
  return "port" in spec ? spec.port : undefined;
}

/** One line for a person or for evidence; a password never shows. */
export function describeProbe(spec: ProbeSpec): string {
  switch (spec.kind) {
    case "tcp":
      return `port ${spec.port} answers${spec.text === undefined ? "" : ` with "${spec.text}"`}`;
    case "http":
    case "https":
      return `${spec.kind} port ${spec.port} ${spec.path} gives ${spec.status}${spec.text === undefined ? "" : ` with "${spec.text}"`}`;
    case "sql":
      return `${spec.engine} port ${spec.port} database ${spec.database} as ${spec.user}: ${spec.query}${spec.expect === undefined ? "" : ` = ${spec.expect}`}`;
    case "screen":
      return `screen shows /${spec.pattern}/`;
    case "guest":
      return `guest command ${[spec.path, ...spec.args].join(" ")} ends with ${spec.exitCode}${spec.text === undefined ? "" : ` and prints "${spec.text}"`}`;
    default:
      return unreachable(spec);
  }
}

const SECRET_CHARS_MIN = 1;

/** `text` with the probe's password, also as it looks inside a URL, replaced. */
export function redact(spec: ProbeSpec, text: string): string {
  if (spec.kind !== "sql" || spec.password.length < SECRET_CHARS_MIN) return text;
  const forms = new Set([
    spec.password,
    encodeURIComponent(spec.password),
    JSON.stringify(spec.password).slice(1, -1),
  ]);
  return [...forms].reduce((cleaned, form) => cleaned.replaceAll(form, "***"), text);
}
