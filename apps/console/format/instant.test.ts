/** Moments are shown on the site's clock and say which clock that is. */

import { expect, it } from "vitest";
import { formatAxis, formatInstant, formatInstantInFull } from "./instant.ts";

const at = new Date("2026-01-31T23:30:05Z");

it("moves the date with the zone", () => {
  expect(formatInstant(at, "Europe/London")).toBe("31 Jan 2026, 23:30 GMT");
  expect(formatInstant(at, "Europe/Vienna")).toContain("1 Feb 2026, 00:30");
});

it("names the zone in full", () => {
  expect(formatInstantInFull(at, "America/New_York")).toMatch(
    /^Sat,? 31 Jan 2026, 18:30:05 .*\(America\/New_York\)$/,
  );
});

it("labels an axis by hour while it is short and by day when it is long", () => {
  expect(formatAxis(at, "UTC", 3_600_000)).toBe("23:30");
  expect(formatAxis(at, "UTC", 30 * 86_400_000)).toBe("31 Jan");
});
