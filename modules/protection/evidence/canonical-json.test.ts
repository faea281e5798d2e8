/** The examples of RFC 8785, and its rules as properties. */

import * as fc from "fast-check";
import { expect, test } from "vitest";
import { canonicalJson, isCanonicalizable, type Json } from "./canonical-json.ts";

test("the example of RFC 8785, section 3.2.2 and 3.2.4", () => {
  const value: Json = {
    numbers: [333333333.3333333, 1e30, 4.5, 2e-3, 0.000000000000000000000000001],
    string: "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"/",
    literals: [null, true, false],
  };
  expect(canonicalJson(value)).toBe(
    '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
  );
});

test("keys are sorted by UTF-16 code units (RFC 8785, section 3.2.3)", () => {
  const value = {
    "\u20ac": "Euro Sign",
    "\r": "Carriage Return",
    "\ufb33": "Hebrew Letter Dalet With Dagesh",
    "1": "One",
    "\ud83d\ude00": "Emoji: Grinning Face",
    "\u0080": "Control",
    "\u00f6": "Latin Small Letter O With Diaeresis",
  };
  expect([...canonicalJson(value).matchAll(/:"(\w+)/g)].map((match) => match[1])).toEqual([
    "Carriage",
    "One",
    "Control",
    "Latin",
    "Euro",
    "Emoji",
    "Hebrew",
  ]);
});

test("numbers are written as ECMAScript writes them (RFC 8785, appendix B)", () => {
  const samples: readonly (readonly [number, string])[] = [
    [-0, "0"],
    [5e-324, "5e-324"],
    [1.7976931348623157e308, "1.7976931348623157e+308"],
    [9007199254740992, "9007199254740992"],
    [295147905179352830000, "295147905179352830000"],
    [1e21, "1e+21"],
    [9.999999999999997e22, "9.999999999999997e+22"],
    [1e-7, "1e-7"],
    [333333333.33333325, "333333333.33333325"],
  ];
  for (const [number, text] of samples) expect(canonicalJson(number)).toBe(text);
});

test("what is read back and written again is the same text", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      if (!isCanonicalizable(value)) return;
      const text = canonicalJson(value);
      const again: unknown = JSON.parse(text);
      expect(isCanonicalizable(again) && canonicalJson(again)).toBe(text);
    }),
  );
});

test("the order in which members were set does not matter", () => {
  expect(canonicalJson({ b: 1, a: [{ d: 1, c: 2 }] })).toBe(canonicalJson({ a: [{ c: 2, d: 1 }], b: 1 }));
});

test("values outside JSON are refused", () => {
  for (const value of [undefined, Number.NaN, 1n, { a: undefined }, "\ud800", { "\udc00": 1 }, [() => 1]])
    expect(isCanonicalizable(value)).toBe(false);
});

test("a value nested to exhaust the stack is refused", () => {
  expect(isCanonicalizable(JSON.parse("[".repeat(10_000) + "]".repeat(10_000)))).toBe(false);
});
