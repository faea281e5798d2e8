/** restic's own answers for 40 policies, and the rules that those do not reach. */

import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import {
  BUCKET_KINDS,
  type ForgetPolicy,
  formatCalendarSpan,
  groupForForget,
  isEmptyForgetPolicy,
  parseCalendarSpan,
  planForget,
} from "./forget-policy.ts";

type OracleSnapshot = { readonly time: string; readonly tags?: string[]; readonly paths?: string[] };
type OracleCase = {
  readonly policy: Record<string, unknown>;
  readonly expect: {
    readonly keep: readonly OracleSnapshot[];
    readonly reasons: readonly { readonly snapshot: OracleSnapshot; readonly matches: readonly string[] }[];
  };
};
const oracle: { readonly snapshots: readonly OracleSnapshot[]; readonly cases: readonly OracleCase[] } =
  JSON.parse(readFileSync(new URL("./testdata/forget-policy.json", import.meta.url), "utf8"));

function policyOf(raw: Record<string, unknown>): ForgetPolicy {
  const spans = BUCKET_KINDS.map((kind) => [kind, raw[`within-${kind}`]] as const).flatMap(([kind, span]) =>
    typeof span === "string" ? [[kind, parseCalendarSpan(span)]] : [],
  );
  const counts = ["last", ...BUCKET_KINDS, "tags"].filter((key) => raw[key] !== undefined);
  const within = raw["within"];
  return {
    ...Object.fromEntries(counts.map((key) => [key, raw[key]])),
    ...(typeof within === "string" ? { within: parseCalendarSpan(within) } : {}),
    withinEach: Object.fromEntries(spans),
  };
}

const snapshots = oracle.snapshots.map((raw) => ({ ...raw, time: new Date(raw.time), raw }));
const instantOf = (raw: OracleSnapshot): string => new Date(raw.time).toISOString();

describe("restic's answers", () => {
  test("there are 40 of them", () => expect(oracle.cases).toHaveLength(40));

  test.each(oracle.cases.map((one) => [JSON.stringify(one.policy), one] as const))("%s", (_name, one) => {
    const plan = planForget(snapshots, policyOf(one.policy));
    expect(plan.keep.map((kept) => kept.snapshot.time.toISOString())).toEqual(one.expect.keep.map(instantOf));
    const found = plan.keep.map((kept) => [instantOf(kept.snapshot.raw), spansSorted(kept.reasons)]);
    expect(found).toEqual(
      one.expect.reasons.map((reason) => [instantOf(reason.snapshot), spansSorted(reason.matches)]),
    );
    expect(plan.keep.length + plan.forget.length).toBe(snapshots.length);
  });
});

/** The oracle wrote spans in another order of units; only their sum matters. */
function spansSorted(reasons: readonly string[]): readonly string[] {
  return reasons.map((reason) =>
    reason.replace(
      /within (\S+)/,
      (_all, span: string) => `within ${formatCalendarSpan(parseCalendarSpan(span))}`,
    ),
  );
}

test("days are those of the time zone asked for", () => {
  // 23:30 and 00:30 in Berlin are one day in UTC, two there.
  const list = ["2026-06-01T21:30:00Z", "2026-06-01T22:30:00Z"].map((time) => ({ time: new Date(time) }));
  const policy = { daily: 5 };
  expect(planForget(list, policy, { timeZone: "Europe/Berlin" }).keep.map((kept) => kept.reasons)).toEqual([
    ["daily snapshot"],
    ["daily snapshot"],
  ]);
  expect(planForget(list, policy).keep.map((kept) => kept.reasons)).toEqual([
    ["daily snapshot"],
    ["oldest daily snapshot"],
  ]);
});

test("a snapshot dated in the future does not push the others out of a span", () => {
  const list = ["2026-06-01T00:00:00Z", "2026-06-02T00:00:00Z", "2031-01-01T00:00:00Z"].map((time) => ({
    time: new Date(time),
  }));
  const plan = planForget(
    list,
    { within: parseCalendarSpan("2d") },
    { now: new Date("2026-06-02T12:00:00Z") },
  );
  expect(plan.forget).toEqual([]);
});

test("groups are by host and paths, whatever the order of the paths", () => {
  const time = new Date(0);
  const groups = groupForForget(
    [
      { time, hostname: "a", paths: ["/x", "/y"] },
      { time, hostname: "a", paths: ["/y", "/x"] },
      { time, hostname: "b", paths: ["/x", "/y"] },
    ],
    ["host", "paths"],
  );
  expect(groups.map((group) => group.length)).toEqual([2, 1]);
});

test("an empty policy is known as such", () => {
  expect(isEmptyForgetPolicy({})).toBe(true);
  expect(isEmptyForgetPolicy({ last: 0, tags: [], withinEach: {} })).toBe(true);
  expect(isEmptyForgetPolicy({ withinEach: { daily: parseCalendarSpan("7d") } })).toBe(false);
});

test.each(["", "7", "d", "1w", "1d 2h", "-1d"])("the span %j is refused", (text) => {
  expect(() => parseCalendarSpan(text)).toThrow("Cannot read the span of time");
});
