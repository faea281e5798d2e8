/** What a probe asks, in a line. */

import type { ProbeSpec } from "@mainstay/contract";

export const PROBE_KINDS: Readonly<Record<ProbeSpec["kind"], string>> = {
  sql: "SQL query",
  http: "HTTP request",
  tcp: "TCP port",
  "screen-text": "Text on the screen",
  "guest-command": "Command inside the machine",
};

/** In the order offered: what proves most comes first. */
export const PROBE_KIND_LIST = ["sql", "http", "tcp", "screen-text", "guest-command"] as const;

export function probeWords(probe: ProbeSpec): string {
  switch (probe.kind) {
    case "tcp":
      return `TCP port ${probe.port} answers`;
    case "http":
      return `${probe.scheme}://…:${probe.port}${probe.path} answers ${probe.expectedStatus}`;
    case "sql":
      return `${probe.query}${probe.expectedAnswer === undefined ? " answers" : ` = ${probe.expectedAnswer}`}`;
    case "screen-text":
      return `The screen shows “${probe.text}”`;
    case "guest-command":
      return `${[probe.command, ...probe.arguments].join(" ")} succeeds`;
  }
}
