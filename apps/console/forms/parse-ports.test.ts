/** Only real ports are sent to the server. */

import { expect, it } from "vitest";
import { parsePorts } from "./parse-ports.ts";

it("keeps each port once", () => {
  expect(parsePorts(["5432", "22", "5432"])).toEqual([5432, 22]);
  expect(parsePorts([])).toEqual([]);
});

it.each([["0"], ["65536"], ["-1"], ["ssh"], ["22a"], [""], ["1e3"]])("refuses %j", (text) => {
  expect(parsePorts([text])).toBeUndefined();
});

it("refuses more than sixteen", () => {
  expect(parsePorts(Array.from({ length: 17 }, (_, port) => String(port + 1)))).toBeUndefined();
});
