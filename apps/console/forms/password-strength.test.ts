/** The hint tells long and varied from short, repeated and known. */

import { expect, it } from "vitest";
import { passwordStrength } from "./password-strength.ts";

const known = ["robin.falk@example.test", "Robin Falk"];

it("says how many characters are missing", () => {
  expect(passwordStrength("elevenchars", known)).toEqual({ score: 0, words: "1 more character needed" });
});

it("does not count repetitions, runs and what a guesser knows", () => {
  for (const weak of ["aaaaaaaaaaaaaaaa", "123456789012", "robinfalk2026", "Robin.Falk.Robin"]) {
    expect(passwordStrength(weak, known).score, weak).toBeLessThanOrEqual(1);
  }
});

it("calls several unrelated words strong", () => {
  expect(passwordStrength("gravel-tuba-hollow-9-kite", known).score).toBe(4);
});
