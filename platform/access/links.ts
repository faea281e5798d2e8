/** One-time links: the set-up of the first owner, and signing in without a password. */

import type { SignInLink } from "@mainstay/contract";
import type { Clock } from "@mainstay/kit";
import type { Tx } from "../database/database.ts";
import { accessErrors } from "../http/errors.ts";
import { hashToken, newToken } from "./tokens.ts";

export const SIGN_IN_LINK_MINUTES = 15;
const SET_UP_LINK_HOURS = 24;

/** The token is behind `#`, which browsers do not send: it stays out of logs. */
export async function makeSignInLink(tx: Tx, clock: Clock, userId: string): Promise<SignInLink> {
  const expiresAt = new Date(clock.now().getTime() + SIGN_IN_LINK_MINUTES * 60_000);
  const token = await storeLink(tx, "sign-in", userId, expiresAt);
  return { path: `/sign-in/link#${token}`, expiresAt: expiresAt.toISOString() };
}

/** Undefined once there is a user. Each call makes a new link and ends the ones before. */
export async function makeSetUpLink(tx: Tx, clock: Clock): Promise<SignInLink | undefined> {
  if (await hasUsers(tx)) return undefined;
  await tx.query("delete from access.one_time_link where purpose = 'set-up'");
  const expiresAt = new Date(clock.now().getTime() + SET_UP_LINK_HOURS * 3_600_000);
  const token = await storeLink(tx, "set-up", null, expiresAt);
  return { path: `/setup#${token}`, expiresAt: expiresAt.toISOString() };
}

export async function hasUsers(tx: Tx): Promise<boolean> {
  return (await tx.query("select 1 from access.user limit 1")).length > 0;
}

async function storeLink(
  tx: Tx,
  purpose: "set-up" | "sign-in",
  userId: string | null,
  expiresAt: Date,
): Promise<string> {
  const token = newToken();
  await tx.query(
    "insert into access.one_time_link (token_hash, purpose, user_id, expires_at) values ($1, $2, $3, $4)",
    [hashToken(token), purpose, userId, expiresAt],
  );
  return token;
}

/** Uses the link up; answers its user (null for a set-up). Throws `access.link-spent`. */
export async function spendLink(
  tx: Tx,
  clock: Clock,
  purpose: "set-up" | "sign-in",
  token: string,
): Promise<string | null> {
  const now = clock.now();
  const [row] = await tx.query<{ user_id: string | null }>(
    `update access.one_time_link set used_at = $3
     where token_hash = $1 and purpose = $2 and used_at is null and expires_at > $3 returning user_id`,
    [hashToken(token), purpose, now],
  );
  if (row !== undefined) return row.user_id;
  throw accessErrors.error(
    "link-spent",
    "Cannot use this link: it was used already or its time is over; ask for a new one",
  );
}
