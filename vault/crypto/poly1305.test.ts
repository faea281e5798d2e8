import * as fc from "fast-check";
import { expect, test } from "vitest";
import { poly1305 } from "./poly1305.ts";

const bytes = (hex: string): Uint8Array => Buffer.from(hex.replaceAll(/[\s:]/g, ""), "hex");
const text = (value: string): Uint8Array => Buffer.from(value, "latin1");
const FF16 = "ff".repeat(16);
const ZERO16 = "00".repeat(16);
const IETF =
  "Any submission to the IETF intended by the Contributor for publication as all or part of an IETF " +
  "Internet-Draft or RFC and any statement made within the context of an IETF activity is considered an " +
  '"IETF Contribution". Such statements include oral statements in IETF sessions, as well as written and ' +
  "electronic communications made at any time or place, which are addressed to";
const JABBERWOCKY =
  "'Twas brillig, and the slithy toves\nDid gyre and gimble in the wabe:\nAll mimsy were the borogoves,\n" +
  "And the mome raths outgrabe.";

/** [r and s, message, tag] of RFC 8439, section 2.5.2 and appendix A.3. */
const RFC_8439: readonly (readonly [string, Uint8Array, string])[] = [
  [
    "85d6be7857556d337f4452fe42d506a80103808afb0db2fd4abff6af4149f51b",
    text("Cryptographic Forum Research Group"),
    "a8061dc1305136c6c22b8baf0c0127a9",
  ],
  [ZERO16 + ZERO16, bytes("00".repeat(64)), ZERO16],
  [`${ZERO16}36e5f6b5c5e06070f0efca96227a863e`, text(IETF), "36e5f6b5c5e06070f0efca96227a863e"],
  [`36e5f6b5c5e06070f0efca96227a863e${ZERO16}`, text(IETF), "f3477e7cd95417af89a6b8794c310cf0"],
  [
    "1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0",
    text(JABBERWOCKY),
    "4541669a7eaaee61e708dc7cbcc5eb62",
  ],
  [`02${"00".repeat(31)}`, bytes(FF16), `03${"00".repeat(15)}`],
  [`02${"00".repeat(15)}${FF16}`, bytes(`02${"00".repeat(15)}`), `03${"00".repeat(15)}`],
  [`01${"00".repeat(31)}`, bytes(`${FF16}f0${"ff".repeat(15)}11${"00".repeat(15)}`), `05${"00".repeat(15)}`],
  [`01${"00".repeat(31)}`, bytes(`${FF16}fb${"fe".repeat(15)}${"01".repeat(16)}`), ZERO16],
  [`02${"00".repeat(31)}`, bytes(`fd${"ff".repeat(15)}`), `fa${"ff".repeat(15)}`],
  [
    `0100000000000000040000000000000000${"00".repeat(15)}`,
    bytes(`e33594d7505e43b900000000000000003394d7505e4379cd0100000000000000${ZERO16}01${"00".repeat(15)}`),
    "14000000000000005500000000000000",
  ],
  [
    `0100000000000000040000000000000000${"00".repeat(15)}`,
    bytes(`e33594d7505e43b900000000000000003394d7505e4379cd0100000000000000${ZERO16}`),
    "13000000000000000000000000000000",
  ],
];

test.each(RFC_8439)("RFC 8439: key %s", (key, message, tag) => {
  const both = bytes(key);
  expect(Buffer.from(poly1305(message, both.subarray(0, 16), both.subarray(16))).toString("hex")).toBe(tag);
});

test("agrees with the definition in whole numbers, for any key and message", () => {
  const half = fc.oneof(fc.uint8Array({ minLength: 16, maxLength: 16 }), fc.constant(bytes(FF16)));
  const message = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.nat(300).map((length) => new Uint8Array(length).fill(0xff)),
  );
  fc.assert(
    fc.property(message, half, half, (input, r, s) => {
      expect(Buffer.from(poly1305(input, r, s))).toEqual(byDefinition(input, r, s));
    }),
    { numRuns: 2000 },
  );
});

test("agrees with the definition on long messages around the size of a piece", () => {
  const r = Buffer.from(FF16, "hex");
  const s = Buffer.from("0f".repeat(16), "hex");
  for (const length of [32_767, 32_768, 32_769, 98_305]) {
    const message = new Uint8Array(length).map((_, at) => (at * 167) >> 3);
    expect(Buffer.from(poly1305(message, r, s))).toEqual(byDefinition(message, r, s));
  }
});

function byDefinition(message: Uint8Array, r16: Uint8Array, s16: Uint8Array): Buffer {
  const prime = (1n << 130n) - 5n;
  const r = littleEndian(r16) & 0x0ffffffc0ffffffc0ffffffc0fffffffn;
  let sum = 0n;
  for (let at = 0; at < message.length; at += 16) {
    const block = message.subarray(at, at + 16);
    sum = ((sum + littleEndian(block) + (1n << BigInt(8 * block.length))) * r) % prime;
  }
  const tag = (sum + littleEndian(s16)) & ((1n << 128n) - 1n);
  return Buffer.from(Buffer.from(tag.toString(16).padStart(32, "0"), "hex").toReversed());
}

function littleEndian(block: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(block.toReversed()).toString("hex")}`);
}
