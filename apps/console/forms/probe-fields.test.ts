/** A probe survives its form; a password that was not typed is not sent. */

import { expect, it } from "vitest";
import { probeSpec, type ProbeSpec } from "@mainstay/contract";
import { fieldsOf, probeOf } from "./probe-fields.ts";

const probes: readonly ProbeSpec[] = [
  { kind: "tcp", name: "ssh", port: 22 },
  {
    kind: "http",
    name: "shop",
    port: 443,
    scheme: "https",
    path: "/",
    expectedStatus: 200,
    expectedText: "Welcome",
  },
  {
    kind: "sql",
    name: "orders",
    engine: "postgresql",
    port: 5432,
    database: "shop",
    user: "probe",
    query: "select 1",
  },
  { kind: "screen-text", name: "login", text: "login:" },
  { kind: "guest-command", name: "service", command: "/bin/true", arguments: ["-v", "a b"] },
];

it.each(probes)("$kind comes back unchanged and as the contract wants it", (probe) => {
  const again = probeOf(fieldsOf(probe));
  expect(again).toEqual(probe);
  expect(probeSpec.parse(again)).toEqual(probe);
});
