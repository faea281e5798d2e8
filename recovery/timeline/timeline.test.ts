import { expect, test } from "vitest";
import {
  emptyTimeline,
  firmwareDonePattern,
  formatTimeline,
  reach,
  reachedAtMs,
  screenLoginPattern,
  serialLoginPattern,
} from "./timeline.ts";

test("the first time a stage is reached counts, in the order of time", () => {
  let timeline = reach(emptyTimeline, "served", 50.4);
  timeline = reach(timeline, "located", 10);
  timeline = reach(timeline, "served", 900);
  timeline = reach(timeline, "first-block", 50);
  expect(timeline).toEqual([
    { stage: "located", atMs: 10 },
    { stage: "served", atMs: 50 },
    { stage: "first-block", atMs: 50 },
  ]);
  expect(reachedAtMs(timeline, "login")).toBeUndefined();
  expect(formatTimeline(timeline)).toBe("located 0.0 s → served 0.1 s → first-block 0.1 s");
});

test("a login prompt is told from a log line that speaks of logins", () => {
  expect(serialLoginPattern.test("Debian GNU/Linux 12 srv ttyS0\r\n\r\nsrv login: ")).toBe(true);
  expect(serialLoginPattern.test("[ 3.1] failed login: root\r\n[ 3.2] next")).toBe(false);
  expect(screenLoginPattern.test("Press Ctrl+Alt+Delete to unlock.")).toBe(true);
  expect(firmwareDonePattern.test("Booting from Hard Disk...")).toBe(true);
  expect(firmwareDonePattern.test("SeaBIOS (version 1.16)")).toBe(false);
});
