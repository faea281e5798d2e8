/** A hint while a password is typed: how many guesses it may stand, roughly. The server alone decides whether it is accepted. */

import { PASSWORD_LENGTH_MIN } from "@mainstay/contract";

export type PasswordStrength = {
  /** 0 too short to 4 strong. */
  readonly score: 0 | 1 | 2 | 3 | 4;
  readonly words: string;
};

/** `known` are texts a guesser tries first: the e-mail address, the name. */
export function passwordStrength(password: string, known: readonly string[]): PasswordStrength {
  if (password.length < PASSWORD_LENGTH_MIN) {
    const missing = PASSWORD_LENGTH_MIN - password.length;
    return { score: 0, words: `${missing} more ${missing === 1 ? "character" : "characters"} needed` };
  }
  const bits = estimateBits(withoutKnown(password.toLowerCase(), known));
  if (bits < 35) return { score: 1, words: "Easy to guess: add unrelated words" };
  if (bits < 50) return { score: 2, words: "Fair: one more word would help" };
  if (bits < 65) return { score: 3, words: "Good" };
  return { score: 4, words: "Strong" };
}

function withoutKnown(password: string, known: readonly string[]): string {
  const parts = known
    .flatMap((text) => text.toLowerCase().split(/[^\p{L}\p{N}]+/u))
    .filter((part) => part.length > 2);
  return parts.reduce((rest, part) => rest.replaceAll(part, ""), password);
}

/** Characters that continue a repetition or a run (aaaa, 1234) add nothing. */
function estimateBits(password: string): number {
  const codes = Array.from(password, (character) => character.codePointAt(0) ?? 0);
  const telling = codes.filter((code, position) => {
    const step = code - (codes[position - 1] ?? -9);
    return Math.abs(step) > 1;
  });
  const kinds = [/\p{L}/u, /\p{N}/u, /[^\p{L}\p{N}]/u].filter((kind) => kind.test(password)).length;
  const distinct = new Set(telling).size;
  return Math.min(telling.length, distinct * 2) * (2.6 + 0.6 * kinds);
}
