/** Lengths of time read as a person would say them. */

import { describe, expect, it } from "vitest";
import { formatDuration, formatMinutes, formatRelative } from "./duration.ts";

describe("a duration", () => {
  it.each([
    [0, "0 ms"],
    [380, "380 ms"],
    [3_440, "3.4 s"],
    [9_949, "9.9 s"],
    [9_960, "10 s"],
    [59_400, "59 s"],
    [59_600, "1 min"],
    [125_000, "2 min 5 s"],
    [3_599_600, "1 h"],
    [4_320_000, "1 h 12 min"],
    [86_399_000, "1 d"],
    [273_600_000, "3 d 4 h"],
  ])("%i ms reads %s", (durationMs, text) => {
    expect(formatDuration(durationMs)).toBe(text);
  });

  it("reads minutes of an RPO in the largest whole units", () => {
    expect([0.4, 15, 60, 240, 1800].map(formatMinutes)).toEqual([
      "under 1 min",
      "15 min",
      "1 h",
      "4 h",
      "1 d 6 h",
    ]);
  });
});

describe("a moment relative to now", () => {
  const now = new Date("2026-03-01T12:00:00Z");
  it.each([
    ["2026-03-01T11:59:55Z", "just now"],
    ["2026-03-01T11:59:20Z", "40 s ago"],
    ["2026-03-01T11:56:00Z", "4 min ago"],
    ["2026-02-28T10:00:00Z", "26 h ago"],
    ["2026-02-20T12:00:00Z", "9 days ago"],
    ["2025-11-01T12:00:00Z", "4 months ago"],
    ["2026-03-01T14:30:00Z", "in 2 h"],
  ])("%s reads %s", (at, text) => {
    expect(formatRelative(new Date(at), now)).toBe(text);
  });
});
