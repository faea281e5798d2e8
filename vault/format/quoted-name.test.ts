/** Names quoted by the rules of Go's strconv.Quote. */

import * as fc from "fast-check";
import { expect, test } from "vitest";
import { testSeed } from "../test-repository.ts";
import { quoteName, unquoteName } from "./quoted-name.ts";

test.each([
  ["plain.txt", "plain.txt"],
  ["with space", "with space"],
  ["grün ☂ 日本", "grün ☂ 日本"],
  ['say "hi" \\ it\'s', '\\"hi\\" \\\\ it\'s'.replace(/^/, "say ")],
  ["\x07\b\f\n\r\t\v", "\\a\\b\\f\\n\\r\\t\\v"],
  ["\x01\x1f\x7f", "\\x01\\x1f\\x7f"],
  ["\u0085\u00a0\u00ad\u200b\u2028\ufeff", "\\u0085\\u00a0\\u00ad\\u200b\\u2028\\ufeff"],
  ["\u{1f600}\u{e0001}", "\u{1f600}\\U000e0001"],
  ["\ufffd", "\ufffd"],
])("quotes %j as Go does", (name, quoted) => {
  expect(quoteName(Buffer.from(name))).toBe(quoted);
  expect(unquoteName(quoted)?.toString()).toBe(name);
});

test("a byte that is not UTF-8 is written in hexadecimal, and only it", () => {
  expect(quoteName(Buffer.from([0x61, 0xff, 0x62]))).toBe("a\\xffb");
  expect(quoteName(Buffer.from([0xc3, 0x28]))).toBe("\\xc3(");
  // A surrogate and an overlong slash are no UTF-8.
  expect(quoteName(Buffer.from([0xed, 0xa0, 0x80]))).toBe("\\xed\\xa0\\x80");
  expect(quoteName(Buffer.from([0xc0, 0xaf]))).toBe("\\xc0\\xaf");
  expect(quoteName(Buffer.from([0xf0, 0x9f, 0x98]))).toBe("\\xf0\\x9f\\x98");
});

test("every byte, alone and before another, comes back", () => {
  for (let first = 0; first < 256; first += 1) {
    for (const name of [
      Buffer.of(first),
      Buffer.of(first, 0x41),
      Buffer.of(first, 0x80),
      Buffer.of(0xe2, first, 0xff),
    ]) {
      expect(unquoteName(quoteName(name))?.equals(name), name.toString("hex")).toBe(true);
    }
  }
});

test("any bytes come back", () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.string({ unit: "binary" }).map((text) => new TextEncoder().encode(text)),
  );
  fc.assert(
    fc.property(bytes, (name) => {
      const quoted = quoteName(name);
      expect(Buffer.from(quoted, "utf8").toString("utf8")).toBe(quoted);
      expect(unquoteName(quoted)?.equals(name)).toBe(true);
    }),
    { seed: testSeed(), numRuns: 500 },
  );
});

test.each(["\\", "\\q", "\\x4", "\\u12", "\\U00110000", "\\ud800", "\\xzz", "a\\"])(
  "refuses %j",
  (quoted) => {
    expect(unquoteName(quoted)).toBeUndefined();
  },
);
