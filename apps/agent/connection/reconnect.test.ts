/** Pauses grow, are spread, and end at a minute. */

import { expect, test } from "vitest";
import { agentErrors } from "../errors.ts";
import { isFinal, PAUSE_MAX_MS, reconnectPauseMs } from "./reconnect.ts";

test("pauses double from a second to a minute", () => {
  expect([1, 2, 3, 7, 8, 100].map((failures) => reconnectPauseMs(failures, 0.999_999))).toEqual(
    [1, 2, 4, 60, 60, 60].map((seconds) => expect.closeTo(seconds * 1000, -1)),
  );
});

test("the spread is half of the step", () => {
  expect(reconnectPauseMs(50, 0)).toBe(PAUSE_MAX_MS / 2);
});

test("only a final refusal ends the attempts", () => {
  const refused = (final: boolean) =>
    agentErrors.error("server-refused", "no", { values: { code: "token", final } });
  expect(isFinal(refused(true))).toBe(true);
  expect(isFinal(refused(false))).toBe(false);
  expect(isFinal(agentErrors.error("server-unreachable", "away"))).toBe(false);
});
