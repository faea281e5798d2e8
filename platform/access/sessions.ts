/** Sessions: a random token in the browser's cookie, its hash here. */

import {
  sessionId,
  userId,
  type OpenSession,
  type SessionId,
  type User,
  type UserId,
} from "@mainstay/contract";
import { newUuid, type Clock } from "@mainstay/kit";
import type { Tx } from "../database/database.ts";
import { notFound } from "../http/errors.ts";
import { hashToken, newToken } from "./tokens.ts";
import { userOf, type UserRow } from "./users.ts";

/** Ends after this long without a request, and after this long in any case. */
const IDLE_MS_MAX = 12 * 3_600_000;
const LIFE_MS_MAX = 14 * 24 * 3_600_000;
/** How stale `last_seen_at` may be: a write for every request would be wasted. */
const SEEN_STEP_MS = 60_000;
const USER_AGENT_LENGTH_MAX = 300;

export type Visit = {
  /** Of the client, as the socket says. */
  readonly address: string;
  readonly userAgent: string;
};

export type LiveSession = {
  readonly id: SessionId;
  readonly user: User;
  readonly signedInAt: Date;
  readonly expiresAt: Date;
};

export type OpenedSession = LiveSession & { readonly token: string };

export async function openSession(tx: Tx, clock: Clock, user: UserRow, visit: Visit): Promise<OpenedSession> {
  const token = newToken();
  const now = clock.now();
  const expiresAt = new Date(now.getTime() + LIFE_MS_MAX);
  const id = newUuid(now);
  await tx.query("delete from access.session where expires_at <= $1", [now]);
  await tx.query(
    `insert into access.session (id, user_id, token_hash, signed_in_at, last_seen_at, expires_at, address, user_agent)
     values ($1, $2, $3, $4, $4, $5, $6, $7)`,
    [
      id,
      user.id,
      hashToken(token),
      now,
      expiresAt,
      visit.address,
      visit.userAgent.slice(0, USER_AGENT_LENGTH_MAX),
    ],
  );
  await tx.query("update access.user set last_sign_in_at = $2 where id = $1", [user.id, now]);
  const signedIn = userOf({ ...user, last_sign_in_at: now });
  return { id: sessionId.parse(id), user: signedIn, signedInAt: now, expiresAt, token };
}

type SessionRow = {
  readonly id: string;
  readonly user_id: string;
  readonly signed_in_at: Date;
  readonly last_seen_at: Date;
  readonly expires_at: Date;
  readonly address: string;
  readonly user_agent: string;
};

/** The session of this token, unless it ended or its user was turned off. */
export async function findSession(tx: Tx, clock: Clock, token: string): Promise<LiveSession | undefined> {
  const now = clock.now();
  const [row] = await tx.query<SessionRow>(
    "select * from access.session where token_hash = $1 and expires_at > $2 and last_seen_at > $3",
    [hashToken(token), now, new Date(now.getTime() - IDLE_MS_MAX)],
  );
  if (row === undefined) return undefined;
  const [user] = await tx.query<UserRow>("select * from access.user where id = $1 and state = 'active'", [
    row.user_id,
  ]);
  if (user === undefined) return undefined;
  if (now.getTime() - row.last_seen_at.getTime() > SEEN_STEP_MS) {
    await tx.query("update access.session set last_seen_at = $2 where id = $1", [row.id, now]);
  }
  return {
    id: sessionId.parse(row.id),
    user: userOf(user),
    signedInAt: row.signed_in_at,
    expiresAt: row.expires_at,
  };
}

export async function listSessions(
  tx: Tx,
  clock: Clock,
  owner: UserId,
  current: SessionId,
): Promise<OpenSession[]> {
  const rows = await tx.query<SessionRow>(
    "select * from access.session where user_id = $1 and expires_at > $2 order by last_seen_at desc",
    [owner, clock.now()],
  );
  return rows.map((row) => ({
    id: sessionId.parse(row.id),
    current: row.id === current,
    signedInAt: row.signed_in_at.toISOString(),
    lastSeenAt: row.last_seen_at.toISOString(),
    expiresAt: row.expires_at.toISOString(),
    address: row.address,
    userAgent: row.user_agent,
  }));
}

/** Throws `request.not-found` unless it is an open session of `owner`. */
export async function endSession(tx: Tx, owner: UserId, id: SessionId): Promise<void> {
  const rows = await tx.query("delete from access.session where id = $1 and user_id = $2 returning id", [
    id,
    owner,
  ]);
  if (rows.length === 0) throw notFound("session", id);
}

export async function endSessionOfToken(tx: Tx, token: string): Promise<UserId | undefined> {
  const [row] = await tx.query<{ user_id: string }>(
    "delete from access.session where token_hash = $1 returning user_id",
    [hashToken(token)],
  );
  return row === undefined ? undefined : userId.parse(row.user_id);
}

export async function endOtherSessions(tx: Tx, owner: UserId, kept: SessionId): Promise<void> {
  await tx.query("delete from access.session where user_id = $1 and id <> $2", [owner, kept]);
}
