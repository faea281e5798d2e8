/** Limits on guessing: so many attempts per window, counted in the database so that a restart forgives nothing. */

import type { Clock } from "@mainstay/kit";
import type { Database } from "../database/database.ts";
import { accessErrors } from "../http/errors.ts";

export type AttemptLimit = { readonly attemptsMax: number; readonly windowSeconds: number };

/** Per account: slows one password's guessing. Per address: slows one guesser's walk over accounts. */
export const attemptLimits = {
  signInAccount: { attemptsMax: 10, windowSeconds: 900 },
  signInAddress: { attemptsMax: 50, windowSeconds: 900 },
  enrolment: { attemptsMax: 200, windowSeconds: 900 },
  link: { attemptsMax: 20, windowSeconds: 900 },
  password: { attemptsMax: 10, windowSeconds: 900 },
} as const satisfies Readonly<Record<string, AttemptLimit>>;

export type AttemptKind = keyof typeof attemptLimits;

/**
 * Counts one attempt of `kind` by `subject`; throws `access.rate-limited` when there were too many. In a transaction of
 * its own: an attempt counts although what it tried is rolled back.
 */
export async function countAttempt(
  database: Database,
  clock: Clock,
  kind: AttemptKind,
  subject: string,
): Promise<void> {
  const limit: AttemptLimit = attemptLimits[kind];
  const now = clock.now();
  const windowEnds = new Date(now.getTime() + limit.windowSeconds * 1000);
  const [row] = await database.asSystem("count attempt", (tx) =>
    tx.query<{ count: number; window_ends_at: Date }>(
      `insert into access.attempt as a (subject, count, window_ends_at) values ($1, 1, $2)
       on conflict (subject) do update set
         count = case when a.window_ends_at <= $3 then 1 else a.count + 1 end,
         window_ends_at = case when a.window_ends_at <= $3 then $2 else a.window_ends_at end
       returning count, window_ends_at`,
      [`${kind} ${subject}`, windowEnds, now],
    ),
  );
  if (row === undefined || row.count <= limit.attemptsMax) return;
  const retryAfterSeconds = Math.max(1, Math.ceil((row.window_ends_at.getTime() - now.getTime()) / 1000));
  throw accessErrors.error(
    "rate-limited",
    `Cannot try again yet: found ${row.count} attempts, wanted at most ${limit.attemptsMax}; wait ${Math.ceil(retryAfterSeconds / 60)} min`,
    { values: { retryAfterSeconds } },
  );
}

export async function forgetAttempts(database: Database, kind: AttemptKind, subject: string): Promise<void> {
  await database.asSystem("forget attempts", (tx) =>
    tx.query("delete from access.attempt where subject = $1", [`${kind} ${subject}`]),
  );
}
