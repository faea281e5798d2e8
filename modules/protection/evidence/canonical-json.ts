/** One text for one value (RFC 8785), so that a hash over it can be worked out again by anyone, in any language. */

import { assert } from "@mainstay/kit";

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Deeper values are not evidence but an attack on the stack. */
const DEPTH_MAX = 64;

/**
 * The canonical text: no blanks, keys by UTF-16 code units, numbers and strings as ECMAScript writes them.
 * The value holds finite numbers and well-formed strings only; anything else is a defect of the caller.
 */
export function canonicalJson(value: Json, depth = 0): string {
  assert(depth < DEPTH_MAX, `JSON is nested at most ${DEPTH_MAX} deep`);
  if (typeof value === "string") return textOf(value);
  if (typeof value === "number") {
    assert(Number.isFinite(value), "JSON has no infinite numbers");
    return JSON.stringify(value);
  }
  if (value === null || typeof value === "boolean") return String(value);
  if (isList(value)) return `[${value.map((item) => canonicalJson(item, depth + 1)).join(",")}]`;
  assert(typeof value === "object", `JSON has no ${typeof value}`);
  const members = Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1));
  return `{${members.map(([key, item]) => `${textOf(key)}:${canonicalJson(item, depth + 1)}`).join(",")}}`;
}

/** Whether the value can be written canonically: for values that were read from a file. */
export function isCanonicalizable(value: unknown): value is Json {
  try {
    // The assertion is what is being tested: canonicalJson refuses everything that is not Json.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    canonicalJson(value as Json);
    return true;
  } catch {
    return false;
  }
}

function textOf(text: string): string {
  assert(text.isWellFormed(), "JSON text has no lone surrogates");
  return JSON.stringify(text);
}

/** `Array.isArray` does not narrow readonly arrays. */
function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}
