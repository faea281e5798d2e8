/** An RPO that was not measured is never within its target. */

import { expect, it } from "vitest";
import { rpoState } from "./rpo.ts";

it.each([
  [null, 60, "not-measured"],
  [null, null, "not-measured"],
  [12, null, "no-target"],
  [60, 60, "within"],
  [0, 60, "within"],
  [60.01, 60, "late"],
] as const)("attained %s of target %s is %s", (attained, target, state) => {
  expect(rpoState(attained, target)).toBe(state);
});
