/** Signing in: password, then the second factor where it is on; or a one-time link. */

import type { Clock } from "@mainstay/kit";
import { appendAudit } from "../audit/audit.ts";
import type { Database, Tx } from "../database/database.ts";
import { accessErrors } from "../http/errors.ts";
import type { Wrapper } from "../secrets/wrapping.ts";
import { countAttempt, forgetAttempts } from "./attempts.ts";
import { spendLink } from "./links.ts";
import { verifyPassword } from "./password.ts";
import { useSecondFactor } from "./second-factor.ts";
import { openSession, type OpenedSession, type Visit } from "./sessions.ts";
import { findUserByEmail, type UserRow } from "./users.ts";

export type SignInParts = { readonly database: Database; readonly clock: Clock; readonly wrapper: Wrapper };
export type SignInRequest = {
  readonly email: string;
  readonly password: string;
  readonly code?: string | undefined;
};

/** Throws `access.wrong-credentials` for whatever is wrong with address or password: which of them is not told. */
export async function signIn(
  parts: SignInParts,
  request: SignInRequest,
  visit: Visit,
): Promise<OpenedSession | "totp-required"> {
  const { database, clock } = parts;
  await countAttempt(database, clock, "signInAddress", visit.address);
  await countAttempt(database, clock, "signInAccount", request.email);
  const user = await checkPassword(database, request);
  if (user.totp_on_at !== null && request.code === undefined) return "totp-required";
  const session = await database.asSystem("sign in", async (tx) => {
    if (user.totp_on_at !== null) await useSecondFactor(tx, clock, parts.wrapper, user, request.code ?? "");
    return openAudited(tx, clock, user, visit, "session.sign-in");
  });
  await forgetAttempts(database, "signInAccount", request.email);
  return session;
}

async function checkPassword(database: Database, { email, password }: SignInRequest): Promise<UserRow> {
  const user = await database.asSystem("find user", (tx) => findUserByEmail(tx, email));
  const isRight = await verifyPassword(password, user?.password_hash ?? null);
  if (user !== undefined && isRight && user.state === "active") return user;
  throw accessErrors.error(
    "wrong-credentials",
    "Cannot sign in: address or password is wrong; try again or ask an owner for a link",
  );
}

/** Throws `access.link-spent`. The link stands for password and second factor both. */
export async function signInByLink(
  { database, clock }: SignInParts,
  token: string,
  visit: Visit,
): Promise<OpenedSession> {
  await countAttempt(database, clock, "link", visit.address);
  return database.asSystem("sign in by link", async (tx) => {
    const userId = await spendLink(tx, clock, "sign-in", token);
    const [user] = await tx.query<UserRow>("select * from access.user where id = $1 and state = 'active'", [
      userId,
    ]);
    if (user === undefined)
      throw accessErrors.error("link-spent", "Cannot use this link: its user was turned off; ask an owner");
    return openAudited(tx, clock, user, visit, "session.sign-in-by-link");
  });
}

async function openAudited(
  tx: Tx,
  clock: Clock,
  user: UserRow,
  visit: Visit,
  action: string,
): Promise<OpenedSession> {
  const session = await openSession(tx, clock, user, visit);
  await appendAudit(tx, {
    actor: { kind: "user", id: user.id, name: user.name },
    action,
    customerId: null,
    subject: { kind: "session", id: session.id, name: visit.address },
  });
  return session;
}
