/**
 * File names as restic's trees hold them: quoted as a Go string literal (strconv.Quote) without the outer quotes, so that
 * bytes that are not UTF-8 survive JSON. Source: Go specification, "String literals".
 */

const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;
const ESCAPES: Readonly<Record<string, string>> = {
  "\x07": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
  "\\": "\\\\",
  '"': '\\"',
};
const UNESCAPES: Readonly<Record<string, number>> = {
  a: 7,
  b: 8,
  f: 12,
  n: 10,
  r: 13,
  t: 9,
  v: 11,
  "\\": 0x5c,
  '"': 0x22,
  "'": 0x27,
};
const DIGITS: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };

/** The bytes of a name → its quoted form. */
export function quoteName(bytes: Uint8Array): string {
  const name = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  let quoted = "";
  for (let at = 0; at < name.length;) {
    const length = characterBytes(name, at);
    quoted +=
      length === 0 ? `\\x${hex(name[at] ?? 0, 2)}` : quoteCharacter(name.toString("utf8", at, at + length));
    at += Math.max(1, length);
  }
  return quoted;
}

/** The quoted form → the bytes of the name; `undefined` if it is not a Go string literal. */
export function unquoteName(quoted: string): Buffer | undefined {
  if (!quoted.includes("\\")) return Buffer.from(quoted, "utf8");
  const parts: Buffer[] = [];
  for (let at = 0; at < quoted.length;) {
    const escape = quoted.indexOf("\\", at);
    parts.push(Buffer.from(quoted.slice(at, escape === -1 ? undefined : escape), "utf8"));
    if (escape === -1) break;
    const taken = unescape(quoted, escape + 1);
    if (taken === undefined) return undefined;
    parts.push(taken.bytes);
    at = taken.next;
  }
  return Buffer.concat(parts);
}

function quoteCharacter(character: string): string {
  const escape = ESCAPES[character];
  if (escape !== undefined) return escape;
  if (PRINTABLE.test(character)) return character;
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x20 || code === 0x7f) return `\\x${hex(code, 2)}`;
  return code < 0x1_0000 ? `\\u${hex(code, 4)}` : `\\U${hex(code, 8)}`;
}

function unescape(text: string, at: number): { bytes: Buffer; next: number } | undefined {
  const kind = text[at] ?? "";
  const single = UNESCAPES[kind];
  if (single !== undefined) return { bytes: Buffer.of(single), next: at + 1 };
  const octal = /^[0-7]{3}/.exec(text.slice(at, at + 3))?.[0];
  if (octal !== undefined) return { bytes: Buffer.of(Number.parseInt(octal, 8) & 0xff), next: at + 3 };
  const count = DIGITS[kind];
  const digits = count === undefined ? "" : text.slice(at + 1, at + 1 + count);
  if (count === undefined || digits.length !== count || !/^[0-9a-fA-F]+$/.test(digits)) return undefined;
  const code = Number.parseInt(digits, 16);
  // Surrogates are no characters; Go refuses them as well.
  if (code > 0x10_ffff || (code >= 0xd800 && code <= 0xdfff)) return undefined;
  const bytes = kind === "x" ? Buffer.of(code) : Buffer.from(String.fromCodePoint(code), "utf8");
  return { bytes, next: at + 1 + count };
}

/** How many bytes the UTF-8 character at `at` has; 0 if there is none. */
function characterBytes(name: Buffer, at: number): number {
  const first = name[at] ?? 0;
  if (first < 0x80) return 1;
  const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  const slice = name.subarray(at, at + length);
  // Decoding and encoding again gives the same bytes only for well-formed UTF-8 (no overlong forms, no surrogates).
  return slice.length === length && Buffer.from(slice.toString("utf8"), "utf8").equals(slice) ? length : 0;
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, "0");
}
