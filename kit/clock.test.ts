import { expect, test } from "vitest";
import { systemClock } from "./clock.ts";
import { fakeClock } from "./testing.ts";

test("the fake clock moves only when told, both readings together", () => {
  const clock = fakeClock(new Date("2026-03-01T00:00:00Z"));
  clock.advance(1500);
  expect(clock.now().toISOString()).toBe("2026-03-01T00:00:01.500Z");
  expect(clock.monotonicMs()).toBe(1500);
});

test("the system clock's monotonic reading does not go back", () => {
  const first = systemClock.monotonicMs();
  expect(systemClock.monotonicMs()).toBeGreaterThanOrEqual(first);
});
