/**
 * Polynomials over GF(2), as restic's chunker wants one per repository: irreducible, of degree 53. Bit i of the number is the
 * coefficient of x^i.
 */

import { AssertionError } from "@mainstay/kit";
import { vaultErrors } from "../errors.ts";

export const POLYNOMIAL_DEGREE = 53;

/** One in about 27 candidates is irreducible; not to find one in so many means that the random source is broken. */
const ATTEMPTS_MAX = 10_000;

/** An irreducible polynomial of degree 53. `randomBytes` gives that many random bytes. */
export function randomPolynomial(randomBytes: (length: number) => Uint8Array): bigint {
  const top = 1n << BigInt(POLYNOMIAL_DEGREE);
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    const random = BigInt(`0x${Buffer.from(randomBytes(7)).toString("hex")}`);
    // Without the constant term x itself would be a factor.
    const candidate = (random & (top - 1n)) | top | 1n;
    if (isIrreducible(candidate)) return candidate;
  }
  throw new AssertionError("the random source gives no irreducible polynomial");
}

/**
 * Whether the polynomial is no product of two smaller ones: Ben-Or's test. Every factor of degree i divides x^(2^i) - x, so
 * nothing in common with any of these up to half the degree means that there is none.
 */
export function isIrreducible(polynomial: bigint): boolean {
  const degree = degreeOf(polynomial);
  if (degree < 1) return false;
  let power = 2n;
  for (let step = 1; step <= degree / 2; step += 1) {
    power = squareModulo(power, polynomial);
    if (greatestCommonDivisor(polynomial, power ^ 2n) !== 1n) return false;
  }
  return true;
}

/** As the repository's `config` writes it: hexadecimal, lower case, no leading zeros. */
export function formatPolynomial(polynomial: bigint): string {
  return polynomial.toString(16);
}

/** Reads the text of a `config`; `vault.polynomial-invalid` if it would not chunk as restic does. */
export function parsePolynomial(text: string): bigint {
  const polynomial = /^[0-9a-f]{1,16}$/i.test(text) ? BigInt(`0x${text}`) : 0n;
  if (degreeOf(polynomial) !== POLYNOMIAL_DEGREE || !isIrreducible(polynomial)) {
    const found = JSON.stringify(text.slice(0, 32));
    throw vaultErrors.error(
      "polynomial-invalid",
      `Cannot chunk with polynomial ${found}: wanted an irreducible one of degree ${POLYNOMIAL_DEGREE}; ` +
        "the repository's config is damaged or not restic's, so restore it from a replica",
      { values: { polynomial: text.slice(0, 32) } },
    );
  }
  return polynomial;
}

/** The position of the highest bit; -1 for 0. */
function degreeOf(polynomial: bigint): number {
  return polynomial === 0n ? -1 : polynomial.toString(2).length - 1;
}

function remainder(value: bigint, divisor: bigint): bigint {
  const degree = degreeOf(divisor);
  let rest = value;
  for (let above = degreeOf(rest) - degree; above >= 0; above = degreeOf(rest) - degree) {
    rest ^= divisor << BigInt(above);
  }
  return rest;
}

function squareModulo(value: bigint, modulus: bigint): bigint {
  // Over GF(2) a square has the bits of the number with a zero between each.
  const square = BigInt(`0b${value.toString(2).split("").join("0")}`);
  return remainder(square, modulus);
}

function greatestCommonDivisor(left: bigint, right: bigint): bigint {
  let [divisor, rest] = [left, right];
  while (rest !== 0n) [divisor, rest] = [rest, remainder(divisor, rest)];
  return divisor;
}
