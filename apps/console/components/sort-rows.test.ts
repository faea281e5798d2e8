/** Lists are ordered as people order them. */

import { expect, it } from "vitest";
import { sortRows } from "./sort-rows.ts";

const rows = [
  { name: "srv-10", age: 5 },
  { name: "SRV-2", age: null },
  { name: "srv-1", age: 9 },
] as const;

it("orders numbers inside names by value and ignores case", () => {
  expect(sortRows(rows, (row) => row.name, "ascending").map((row) => row.name)).toEqual([
    "srv-1",
    "SRV-2",
    "srv-10",
  ]);
});

it("puts what was not measured last in both directions", () => {
  expect(sortRows(rows, (row) => row.age, "ascending").map((row) => row.age)).toEqual([5, 9, null]);
  expect(sortRows(rows, (row) => row.age, "descending").map((row) => row.age)).toEqual([9, 5, null]);
});
