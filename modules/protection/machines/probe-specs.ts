/** Probes between the words of the contract and those of `recovery`. */

import type { ProbeResult, ProbeSpec } from "@mainstay/contract";
import { unreachable } from "@mainstay/kit";
import type { ProbeResult as RecoveryResult, ProbeSpec as RecoverySpec } from "@mainstay/recovery";

/** What `recovery` asks, for each probe of the device in its order. */
export function recoveryProbe(spec: ProbeSpec, timeoutMs: number): RecoverySpec {
  switch (spec.kind) {
    case "tcp":
      return { kind: "tcp", port: spec.port, timeoutMs };
    case "http": {
      const { port, path, scheme, expectedStatus, expectedText } = spec;
      const text = expectedText === undefined ? {} : { text: expectedText };
      return { kind: scheme, port, path, status: expectedStatus, ...text, timeoutMs };
    }
    case "sql": {
      const { engine, port, user, database, query, expectedAnswer } = spec;
      const expect = expectedAnswer === undefined ? {} : { expect: expectedAnswer };
      return {
        kind: "sql",
        engine,
        port,
        user,
        password: spec.password ?? "",
        database,
        query,
        ...expect,
        timeoutMs,
      };
    }
    case "screen-text":
      return { kind: "screen", pattern: RegExp.escape(spec.text), timeoutMs };
    case "guest-command": {
      const text = spec.expectedOutput === undefined ? {} : { text: spec.expectedOutput };
      return { kind: "guest", path: spec.command, args: spec.arguments, exitCode: 0, ...text, timeoutMs };
    }
    default:
      return unreachable(spec);
  }
}

/** Before they are asked. */
export function waitingProbe(spec: ProbeSpec): ProbeResult {
  return { name: spec.name, kind: spec.kind, state: "waiting", answer: null, tookMs: null };
}

/** What came of it; of a failed one, why. */
export function probeResult(spec: ProbeSpec, result: RecoveryResult | undefined): ProbeResult {
  if (result === undefined) return { ...waitingProbe(spec), state: "failed" };
  const answer = result.state === "passed" ? result.answer : (result.error ?? result.answer);
  return { name: spec.name, kind: spec.kind, state: result.state, answer, tookMs: result.tookMs };
}
