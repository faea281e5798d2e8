/** Between a probe and the fields of its form: all fields at once, so that changing the kind loses nothing typed. */

import type { ProbeSpec } from "@mainstay/contract";

type Sql = Extract<ProbeSpec, { readonly kind: "sql" }>;

export type ProbeFields = {
  readonly kind: ProbeSpec["kind"];
  readonly name: string;
  readonly port: number;
  readonly scheme: "http" | "https";
  readonly path: string;
  readonly expectedStatus: number;
  readonly engine: Sql["engine"];
  readonly database: string;
  readonly user: string;
  readonly password: string;
  /** A probe that exists already has its password on the server, which never tells it. */
  readonly stored: boolean;
  readonly query: string;
  readonly text: string;
  readonly command: string;
  readonly argumentLines: string;
  /** Expected text, answer or output, whichever the kind has; empty means none. */
  readonly expected: string;
};

const EMPTY: ProbeFields = {
  kind: "sql",
  name: "",
  port: 5432,
  scheme: "http",
  path: "/",
  expectedStatus: 200,
  engine: "postgresql",
  database: "",
  user: "",
  password: "",
  stored: false,
  query: "",
  text: "",
  command: "",
  argumentLines: "",
  expected: "",
};

export function fieldsOf(probe: ProbeSpec | null): ProbeFields {
  if (probe === null) return EMPTY;
  switch (probe.kind) {
    case "tcp":
    case "screen-text":
      return { ...EMPTY, ...probe };
    case "http":
      return { ...EMPTY, ...probe, expected: probe.expectedText ?? "" };
    case "sql":
      return { ...EMPTY, ...probe, password: "", stored: true, expected: probe.expectedAnswer ?? "" };
    case "guest-command":
      return {
        ...EMPTY,
        ...probe,
        argumentLines: probe.arguments.join("\n"),
        expected: probe.expectedOutput ?? "",
      };
  }
}

export function probeOf(fields: ProbeFields): ProbeSpec {
  const { name, port } = fields;
  switch (fields.kind) {
    case "tcp":
      return { kind: "tcp", name, port };
    case "http":
      return {
        kind: "http",
        name,
        port,
        scheme: fields.scheme,
        path: fields.path,
        expectedStatus: fields.expectedStatus,
        ...(fields.expected === "" ? {} : { expectedText: fields.expected }),
      };
    case "sql":
      return {
        kind: "sql",
        name,
        port,
        engine: fields.engine,
        database: fields.database,
        user: fields.user,
        query: fields.query,
        ...(fields.password === "" ? {} : { password: fields.password }),
        ...(fields.expected === "" ? {} : { expectedAnswer: fields.expected }),
      };
    case "screen-text":
      return { kind: "screen-text", name, text: fields.text };
    case "guest-command":
      return {
        kind: "guest-command",
        name,
        command: fields.command,
        arguments: linesOf(fields.argumentLines),
        ...(fields.expected === "" ? {} : { expectedOutput: fields.expected }),
      };
  }
}

function linesOf(text: string): string[] {
  return text.split("\n").filter((line) => line !== "");
}
