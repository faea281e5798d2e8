/** Runs come in time, retries back off, and a wrong clock causes neither a storm nor a silence. */

import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { clockJumped, type DueFacts, mayStart, nextDue, spreadOf } from "./due.ts";

const HOUR_MS = 60 * 60_000;
const start = new Date("2026-06-15T12:00:00Z");
const at = (milliseconds: number): Date => new Date(start.getTime() + milliseconds);

const facts: DueFacts = {
  now: start,
  intervalMs: HOUR_MS,
  lastSucceededAt: null,
  lastAttempt: null,
  spread: 0,
};
const failed = (failedInARow: number) => ({ startedAt: at(-1), failedInARow });

test("the first run is due at once", () => {
  expect(nextDue(facts)).toEqual({ at: start, reason: "first" });
});

test("the next run is due an interval after the last success began, never later", () => {
  expect(nextDue({ ...facts, lastSucceededAt: start }).at).toEqual(at(HOUR_MS));
  const spread = nextDue({ ...facts, lastSucceededAt: start, spread: 0.99 }).at.getTime();
  expect(spread).toBeLessThan(at(HOUR_MS).getTime());
  expect(spread).toBeGreaterThan(at(0.9 * HOUR_MS).getTime());
});

test("retries back off to the interval or an hour, whichever is less", () => {
  const pauses = [1, 2, 3, 4, 10, 1000].map(
    (count) =>
      nextDue({ ...facts, intervalMs: 4 * HOUR_MS, lastAttempt: failed(count) }).at.getTime() -
      at(-1).getTime(),
  );
  expect(pauses).toEqual([60_000, 120_000, 240_000, 480_000, HOUR_MS, HOUR_MS]);
  const short = nextDue({ ...facts, intervalMs: 5 * 60_000, lastAttempt: failed(50) });
  expect(short.at.getTime() - at(-1).getTime()).toBe(5 * 60_000);
});

test("the answer stands still while time goes on", () => {
  const last = { lastSucceededAt: at(-HOUR_MS / 2) };
  expect(nextDue({ ...facts, ...last })).toEqual(nextDue({ ...facts, ...last, now: at(HOUR_MS) }));
});

describe("a clock set back by a day", () => {
  test("does not silence a device for that day", () => {
    const last = {
      lastSucceededAt: at(24 * HOUR_MS),
      lastAttempt: { startedAt: at(24 * HOUR_MS), failedInARow: 0 },
    };
    expect(nextDue({ ...facts, ...last })).toEqual({ at: start, reason: "clock-set-back" });
  });

  test("does not let the fleet start together", () => {
    expect(
      startsWithin(60_000, (spread) => ({ ...facts, spread, lastSucceededAt: at(24 * HOUR_MS) })),
    ).toBeLessThan(200);
  });
});

const overdue = (spread: number): DueFacts => ({ ...facts, spread, lastSucceededAt: at(-25 * HOUR_MS) });

describe("a clock set forward by a day", () => {
  test("lets the overdue fleet in over minutes", () => {
    expect(startsWithin(60_000, overdue)).toBeLessThan(200);
    expect(startsWithin(10 * 60_000, overdue)).toBe(1000);
  });

  test("is told from time going by", () => {
    const before = { wallMs: 0, steadyMs: 0 };
    expect(clockJumped(before, { wallMs: 24 * HOUR_MS, steadyMs: 1000 })).toBe(true);
    expect(clockJumped(before, { wallMs: -24 * HOUR_MS, steadyMs: 1000 })).toBe(true);
    expect(clockJumped(before, { wallMs: 24 * HOUR_MS, steadyMs: 24 * HOUR_MS })).toBe(false);
  });
});

test("a thousand new devices begin over two minutes", () => {
  expect(startsWithin(12_000, (spread) => ({ ...facts, spread }))).toBeLessThan(200);
  expect(startsWithin(120_000, (spread) => ({ ...facts, spread }))).toBe(1000);
});

test("a device that is due in its turn starts at once, however lately the scheduler woke", () => {
  const inTurn = { ...facts, lastSucceededAt: at(-HOUR_MS), spread: 0.5 };
  expect(mayStart(inTurn, nextDue(inTurn), start)).toBe(true);
});

test("whatever the history, a device is let in within ten minutes of being due and the scheduler awake", () => {
  const instant = fc.option(fc.integer({ min: -1e9, max: 1e9 }).map(at));
  const spread = fc.integer({ min: 0, max: 999 }).map((part) => part / 1000);
  fc.assert(
    fc.property(
      instant,
      spread,
      fc.integer({ min: 60_000, max: 1e9 }),
      (lastSucceededAt, spread, intervalMs) => {
        const drawn = { ...facts, lastSucceededAt, spread, intervalMs };
        const due = nextDue(drawn);
        const later = { ...drawn, now: new Date(Math.max(due.at.getTime(), start.getTime()) + 10 * 60_000) };
        const dueLater = nextDue(later);
        expect(mayStart(later, dueLater, start) || dueLater.at > later.now).toBe(true);
      },
    ),
  );
});

test("the spread of a device is steady and even over a fleet", () => {
  const spreads = Array.from({ length: 1000 }, (_value, index) => spreadOf(`device-${index}`, "backup"));
  expect(spreadOf("device-7", "backup")).toBe(spreads[7]);
  expect(spreads.filter((spread) => spread < 0.5).length).toBeGreaterThan(430);
  expect(spreads.filter((spread) => spread < 0.5).length).toBeLessThan(570);
});

/** How many of a thousand devices may start within the time after the scheduler woke. */
function startsWithin(milliseconds: number, factsOf: (spread: number) => DueFacts): number {
  return Array.from({ length: 1000 }, (_value, index) => factsOf(index / 1000)).filter((device) => {
    const now = at(milliseconds);
    return mayStart({ ...device, now }, nextDue(device), start);
  }).length;
}
