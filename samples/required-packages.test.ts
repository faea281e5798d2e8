/** What is missing is named with the command that brings it. */

import { GIB } from "@mainstay/kit";
import { expect, test } from "vitest";
import { recipeOf } from "./recipe.ts";
import { assertBuildable, missingPackages, requiredDebianPackages } from "./required-packages.ts";

test("this machine lacks nothing", async () => {
  expect(await missingPackages()).toEqual([]);
});

test("on a machine without any, all are missing", async () => {
  const programs = requiredDebianPackages.filter(({ binary }) => !binary.startsWith("/"));
  expect(await missingPackages(requiredDebianPackages, "/nonexistent")).toEqual(programs);
});

test("another user than root is told the way out", async () => {
  await expect(assertBuildable(1000)).rejects.toMatchObject({
    code: "samples.not-root",
    message: expect.stringContaining(
      "found user id 1000, wanted 0 (root); run the same command as root or with sudo",
    ) as string,
  });
});

test.each([0, 1 * GIB, 2 * GIB + 1, 2 ** 41, Number.NaN])(
  "a small disk of %d bytes is refused with what is possible",
  (sizeBytes) => {
    expect(() => recipeOf("small", sizeBytes)).toThrow(/wanted a multiple of 4096 from 2147483648 to/);
  },
);

test("the sizes that are asked for are possible", () => {
  expect(recipeOf("full").sizeBytes).toBe(70 * GIB);
  for (const gibibytes of [7, 70, 700])
    expect(recipeOf("full", gibibytes * GIB).sizeBytes).toBe(gibibytes * GIB);
});
