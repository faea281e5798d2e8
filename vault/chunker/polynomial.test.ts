import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { vaultErrors } from "../errors.ts";
import { formatPolynomial, isIrreducible, parsePolynomial, randomPolynomial } from "./polynomial.ts";

test("of the polynomials of degree 1 to 8, as many are irreducible as Gauss's formula says", () => {
  const counts = [2, 1, 2, 3, 6, 9, 18, 30];
  const found = counts.map((_, at) => {
    const degree = at + 1;
    const all = Array.from({ length: 2 ** degree }, (_, low) => BigInt(2 ** degree + low));
    return all.filter(isIrreducible).length;
  });
  expect(found).toEqual(counts);
});

test("a product is found out, also of two factors of nearly half the degree", () => {
  const product = multiply(0x249971770ab0ffn, 0b111n);
  expect(isIrreducible(product)).toBe(false);
  // x^8+x^4+x^3+x+1 and x^8+x^4+x^3+x^2+1, both irreducible.
  expect(isIrreducible(multiply(0x11bn, 0x11dn))).toBe(false);
  expect(isIrreducible(multiply(0x11bn, 0x11bn))).toBe(false);
});

test("a random one is irreducible, of degree 53, and survives its text form", () => {
  const polynomial = randomPolynomial(randomBytes);
  expect(polynomial >> 53n).toBe(1n);
  expect(isIrreducible(polynomial)).toBe(true);
  expect(parsePolynomial(formatPolynomial(polynomial))).toBe(polynomial);
});

test("a broken random source is noticed, not looped on", () => {
  // x^53 + 1 is divisible by x + 1.
  expect(() => randomPolynomial((length) => new Uint8Array(length))).toThrow(/random source/);
});

test.each(["", "0", "zz", "3fffffffffffff0", "20000000000001", "11b", "-249971770ab0ff"])(
  "the text %j of a config is refused",
  (text) => {
    let caught: unknown;
    try {
      parsePolynomial(text);
    } catch (cause) {
      caught = cause;
    }
    expect(vaultErrors.is(caught, "polynomial-invalid")).toBe(true);
  },
);

function multiply(left: bigint, right: bigint): bigint {
  let product = 0n;
  for (let bit = 0n; right >> bit > 0n; bit += 1n) if ((right >> bit) & 1n) product ^= left << bit;
  return product;
}
