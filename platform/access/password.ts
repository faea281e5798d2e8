/** Passwords: argon2id in PHC form, and the rule for new ones. */

import { argon2, randomBytes, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";
import { limiter } from "@mainstay/kit";
import { accessErrors } from "../http/errors.ts";

const derive = promisify(argon2);

/** OWASP Password Storage Cheat Sheet, argon2id: 46 MiB, one pass, one lane. */
const MEMORY_KIB = 47_104;
const PASSES = 1;
const LANES = 1;
const SALT_SIZE_BYTES = 16;
const HASH_SIZE_BYTES = 32;
/** Each derivation takes its memory: more at once would let strangers fill ours. */
const places = limiter(2);

const PHC = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/;

type Cost = { readonly memory: number; readonly passes: number; readonly parallelism: number };

export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT_SIZE_BYTES);
  const cost = { memory: MEMORY_KIB, passes: PASSES, parallelism: LANES };
  const hash = await deriveHash(password, salt, cost, HASH_SIZE_BYTES);
  return `$argon2id$v=19$m=${MEMORY_KIB},t=${PASSES},p=${LANES}$${base64(salt)}$${base64(hash)}`;
}

/** With `stored` null it still takes as long: whether an account exists must not be told by the time. */
export async function verifyPassword(password: string, stored: string | null): Promise<boolean> {
  const match = PHC.exec(stored ?? "");
  if (match === null) {
    await deriveHash(
      password,
      randomBytes(SALT_SIZE_BYTES),
      { memory: MEMORY_KIB, passes: PASSES, parallelism: LANES },
      HASH_SIZE_BYTES,
    );
    return false;
  }
  const [, memory, passes, parallelism, salt = "", hash = ""] = match;
  const cost = { memory: Number(memory), passes: Number(passes), parallelism: Number(parallelism) };
  const wanted = Buffer.from(hash, "base64");
  const found = await deriveHash(password, Buffer.from(salt, "base64"), cost, wanted.length);
  return timingSafeEqual(found, wanted);
}

async function deriveHash(password: string, nonce: Buffer, cost: Cost, tagLength: number): Promise<Buffer> {
  // NFKC, so that the same password typed on another system is the same bytes (RFC 8265).
  const message = Buffer.from(password.normalize("NFKC"));
  return places.run(async () =>
    Buffer.from(await derive("argon2id", { message, nonce, tagLength, ...cost })),
  );
}

function base64(bytes: Buffer): string {
  return bytes.toString("base64").replace(/=+$/, "");
}

/** Throws `access.weak-password`. The length is the contract's; this refuses what is long and still guessed first. */
export function checkNewPassword(password: string, email: string): void {
  const plain = password.toLowerCase();
  const words = [
    email.toLowerCase(),
    ...email
      .toLowerCase()
      .split(/[@.]/)
      .filter((part) => part.length >= 4),
    "mainstay",
    "password",
  ];
  const rest = words.reduce((text, word) => text.replaceAll(word, ""), plain);
  if (new Set(rest).size >= 5) return;
  throw accessErrors.error(
    "weak-password",
    "Cannot take this password: it repeats itself or follows from the address; choose three or four unrelated words",
  );
}
