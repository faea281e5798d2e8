/** Retention keeps what the plan says, and always what recovery would stand on. */

import * as fc from "fast-check";
import { expect, test } from "vitest";
import { planRetention, type RetentionPoint, type RetentionPolicy } from "./retention.ts";

const NONE: RetentionPolicy = { last: 0, hourly: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0 };
const UTC = { timeZone: "UTC" };

/** A point of the given hour; `0` is the oldest. */
function point(hour: number, more: Partial<RetentionPoint> = {}): RetentionPoint {
  const takenAt = new Date(Date.UTC(2026, 0, 1, hour));
  return { id: `p${hour}`, takenAt, state: "usable", provenAt: null, inUse: false, ...more };
}

test("the last two stay, the others go, newest first", () => {
  const plan = planRetention([point(0), point(1), point(2), point(3)], { ...NONE, last: 2 }, UTC);
  expect(plan.keep.map((kept) => kept.id)).toEqual(["p3", "p2"]);
  expect(plan.drop).toEqual(["p1", "p0"]);
});

test("the newest proven point stays, however old it is", () => {
  const proven = { provenAt: new Date("2026-01-02T00:00:00Z") };
  const points = [point(0, proven), point(1, proven), point(2), point(3)];
  const plan = planRetention(points, { ...NONE, last: 1 }, UTC);
  expect(plan.keep).toEqual([
    { id: "p3", reasons: ["last snapshot", "newest usable"] },
    { id: "p1", reasons: ["newest proven"] },
  ]);
});

test("when the newest points are damaged, the newest usable one stays", () => {
  const damaged = { state: "damaged" } as const;
  const plan = planRetention([point(0), point(1, damaged), point(2, damaged)], { ...NONE, last: 1 }, UTC);
  expect(plan.keep.map((kept) => kept.id)).toEqual(["p2", "p0"]);
});

test("a damaged point is no proof, even if it once passed", () => {
  const once = point(1, { state: "damaged", provenAt: new Date() });
  expect(planRetention([point(0), once, point(2)], { ...NONE, last: 1 }, UTC).drop).toEqual(["p1", "p0"]);
});

test("a point that a recovery runs from stays", () => {
  const plan = planRetention([point(0, { inUse: true }), point(1), point(2)], { ...NONE, last: 1 }, UTC);
  expect(plan.drop).toEqual(["p1"]);
});

test("a policy that keeps nothing drops nothing", () => {
  expect(planRetention([point(0), point(1)], NONE, UTC).drop).toEqual([]);
});

test("no points: nothing to do", () => {
  expect(planRetention([], NONE, UTC)).toEqual({ keep: [], drop: [] });
});

test("whatever the points and counts, the newest usable and the newest proven are never dropped", () => {
  const anyPoint = fc.record({
    hour: fc.integer({ min: 0, max: 20_000 }),
    damaged: fc.boolean(),
    proven: fc.boolean(),
  });
  const count = fc.integer({ min: 0, max: 4 });
  const anyPolicy = fc.record({
    last: count,
    hourly: count,
    daily: count,
    weekly: count,
    monthly: count,
    yearly: count,
  });
  fc.assert(
    fc.property(fc.uniqueArray(anyPoint, { selector: ({ hour }) => hour }), anyPolicy, (drawn, policy) => {
      const points = drawn.map(({ hour, damaged, proven }) =>
        point(hour, { state: damaged ? "damaged" : "usable", provenAt: proven ? new Date() : null }),
      );
      const { keep, drop } = planRetention(points, policy, UTC);
      expect([...keep.map((kept) => kept.id), ...drop].toSorted()).toEqual(
        points.map(({ id }) => id).toSorted(),
      );
      const usable = points
        .filter((one) => one.state === "usable")
        .toSorted((one, other) => other.takenAt.getTime() - one.takenAt.getTime());
      const proven = usable.find((one) => one.provenAt !== null);
      for (const dear of [usable[0], proven]) expect(drop).not.toContain(dear?.id);
    }),
  );
});
