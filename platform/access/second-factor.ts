/** The second factor: time-based codes (RFC 6238) and recovery codes. */

import { randomBytes } from "node:crypto";
import { Secret, TOTP } from "otpauth";
import type { Clock } from "@mainstay/kit";
import type { Tx } from "../database/database.ts";
import { accessErrors, requestErrors } from "../http/errors.ts";
import type { Wrapper } from "../secrets/wrapping.ts";
import { hashToken } from "./tokens.ts";
import type { UserRow } from "./users.ts";

const SECRET_SIZE_BYTES = 20;
const PERIOD_SECONDS = 30;
/** One step to each side: phones' clocks drift, people type slowly. */
const STEPS_TOLERATED = 1;
const RECOVERY_CODES = 10;
const RECOVERY_CODE_SIZE_BYTES = 10;

export type TotpOffer = { readonly secret: string; readonly otpauthUrl: string };

/** Stores a secret that is not on until `confirmTotp`. Throws `request.conflict` when one is on. */
export async function beginTotp(tx: Tx, wrapper: Wrapper, user: UserRow, issuer: string): Promise<TotpOffer> {
  if (user.totp_on_at !== null) {
    throw requestErrors.error("conflict", "Cannot begin: the second factor is on; turn it off first");
  }
  const secret = new Secret({ buffer: new Uint8Array(randomBytes(SECRET_SIZE_BYTES)).buffer });
  const wrapped = wrapper.wrap(secret.base32, contextOf(user.id));
  await tx.query("update access.user set totp_secret = $2, totp_last_step = null where id = $1", [
    user.id,
    wrapped,
  ]);
  return { secret: secret.base32, otpauthUrl: totpOf(secret, issuer, user.email).toString() };
}

/** Turns it on and answers the recovery codes, which are shown once. Throws `access.wrong-code`, `request.conflict`. */
export async function confirmTotp(
  tx: Tx,
  clock: Clock,
  wrapper: Wrapper,
  user: UserRow,
  code: string,
): Promise<string[]> {
  if (user.totp_on_at !== null || user.totp_secret === null) {
    throw requestErrors.error("conflict", "Cannot confirm: no second factor was begun; begin again");
  }
  await useTotpCode(tx, clock, wrapper, user, code);
  await tx.query("update access.user set totp_on_at = $2 where id = $1", [user.id, clock.now()]);
  const codes = Array.from({ length: RECOVERY_CODES }, newRecoveryCode);
  await tx.query("delete from access.recovery_code where user_id = $1", [user.id]);
  for (const recoveryCode of codes) {
    await tx.query("insert into access.recovery_code (user_id, code_hash) values ($1, $2)", [
      user.id,
      hashCode(recoveryCode),
    ]);
  }
  return codes;
}

export async function removeTotp(tx: Tx, userId: string): Promise<void> {
  await tx.query(
    "update access.user set totp_secret = null, totp_on_at = null, totp_last_step = null where id = $1",
    [userId],
  );
  await tx.query("delete from access.recovery_code where user_id = $1", [userId]);
}

/** Accepts the six digits of now, each once, or a recovery code, each once. Throws `access.wrong-code`. */
export async function useSecondFactor(
  tx: Tx,
  clock: Clock,
  wrapper: Wrapper,
  user: UserRow,
  code: string,
): Promise<void> {
  if (/^\d{6}$/.test(code)) return useTotpCode(tx, clock, wrapper, user, code);
  const spent = await tx.query(
    `update access.recovery_code set used_at = $3 where user_id = $1 and code_hash = $2 and used_at is null returning user_id`,
    [user.id, hashCode(code), clock.now()],
  );
  if (spent.length !== 1) throw wrongCode();
}

async function useTotpCode(
  tx: Tx,
  clock: Clock,
  wrapper: Wrapper,
  user: UserRow,
  code: string,
): Promise<void> {
  if (user.totp_secret === null) throw wrongCode();
  const secret = Secret.fromBase32(wrapper.unwrap(user.totp_secret, contextOf(user.id)));
  const timestamp = clock.now().getTime();
  const delta = totpOf(secret, "", user.email).validate({ token: code, timestamp, window: STEPS_TOLERATED });
  if (delta === null) throw wrongCode();
  const step = Math.floor(timestamp / 1000 / PERIOD_SECONDS) + delta;
  // The comparison is in SQL, so that two requests with one code cannot both win.
  const rows = await tx.query(
    "update access.user set totp_last_step = $2 where id = $1 and coalesce(totp_last_step, 0) < $2 returning id",
    [user.id, step],
  );
  if (rows.length !== 1) throw wrongCode();
}

function totpOf(secret: Secret, issuer: string, label: string): TOTP {
  return new TOTP({ issuer, label, secret, algorithm: "SHA1", digits: 6, period: PERIOD_SECONDS });
}

function contextOf(userId: string): string {
  return `totp-secret ${userId}`;
}

/** Sixteen base32 characters in four groups. */
function newRecoveryCode(): string {
  const text = new Secret({
    buffer: new Uint8Array(randomBytes(RECOVERY_CODE_SIZE_BYTES)).buffer,
  }).base32.toLowerCase();
  return text.match(/.{4}/g)?.join("-") ?? text;
}

function hashCode(code: string): Buffer {
  return hashToken(code.toLowerCase().replace(/[^a-z0-9]/g, ""));
}

function wrongCode() {
  return accessErrors.error(
    "wrong-code",
    "Cannot take this code: it is wrong or was used already; wait for the next one",
  );
}
