/** The routes of set-up, sign-in, sessions, account, users and audit. */

import type { Session } from "@mainstay/contract";
import type { Clock } from "@mainstay/kit";
import { appendAudit, listAudit } from "../audit/audit.ts";
import type { Tx } from "../database/database.ts";
import { allCustomers } from "../database/scope.ts";
import { accessErrors } from "../http/errors.ts";
import type { AreaHandlers, HandlersOf, UserCaller } from "../http/handlers.ts";
import { accountHandlers } from "./account-handlers.ts";
import { countAttempt } from "./attempts.ts";
import { userActor, userSubject, type AccessParts } from "./parts.ts";
import { hasUsers, spendLink } from "./links.ts";
import { checkNewPassword, hashPassword } from "./password.ts";
import { readProviderName, setProviderName } from "./provider.ts";
import {
  endSession,
  endSessionOfToken,
  findSession,
  listSessions,
  openSession,
  type OpenedSession,
} from "./sessions.ts";
import { signIn, signInByLink } from "./sign-in.ts";
import { userHandlers } from "./user-handlers.ts";
import { addUser, userOf, type UserRow } from "./users.ts";

export function accessHandlers(
  parts: AccessParts,
): Required<Pick<AreaHandlers, "setUp" | "sessions" | "account" | "users" | "audit">> {
  return {
    setUp: setUpHandlers(parts),
    sessions: sessionHandlers(parts),
    account: accountHandlers(parts),
    users: userHandlers(parts),
    audit: {
      list: ({ caller, query }) => parts.database.inScope(caller.scope, (tx) => listAudit(tx, query, query)),
    },
  };
}

/** The user of a session cookie, for every route that wants one. */
export async function authenticate(
  parts: Pick<AccessParts, "database" | "clock">,
  token: string,
): Promise<UserCaller | undefined> {
  const session = await parts.database.asSystem("find session", (tx) => findSession(tx, parts.clock, token));
  if (session === undefined) return undefined;
  return {
    kind: "user",
    user: session.user,
    sessionId: session.id,
    scope: allCustomers,
    actor: userActor(session.user),
  };
}

function setUpHandlers(parts: AccessParts): HandlersOf<"setUp"> {
  const { database, clock } = parts;
  return {
    read: () =>
      database.asSystem("read set-up", async (tx) => ({
        state: (await hasUsers(tx)) ? ("done" as const) : ("needed" as const),
        serverName: parts.serverName,
      })),
    complete: async ({ body, visit, cookie }) => {
      await countAttempt(database, clock, "link", visit.address);
      checkNewPassword(body.password, body.email);
      const passwordHash = await hashPassword(body.password);
      const opened = await database.asSystem("set up the first owner", async (tx) => {
        const user = await makeFirstOwner(tx, clock, { ...body, passwordHash });
        return { session: await openSession(tx, clock, user, visit), provider: await readProviderName(tx) };
      });
      cookie.set(opened.session.token, opened.session.expiresAt);
      return sessionAnswer(parts, opened.session, opened.provider);
    },
  };
}

type FirstOwner = {
  readonly token: string;
  readonly providerName: string;
  readonly email: string;
  readonly name: string;
  readonly passwordHash: string;
};

async function makeFirstOwner(tx: Tx, clock: Clock, owner: FirstOwner): Promise<UserRow> {
  if (await hasUsers(tx)) {
    throw accessErrors.error(
      "set-up-done",
      "Cannot set up again: the first owner exists; sign in, or ask an owner for a link",
    );
  }
  await spendLink(tx, clock, "set-up", owner.token);
  await setProviderName(tx, owner.providerName);
  const user = await addUser(tx, {
    email: owner.email,
    name: owner.name,
    role: "owner",
    passwordHash: owner.passwordHash,
  });
  await appendAudit(tx, {
    actor: userActor(user),
    action: "server.set-up",
    customerId: null,
    subject: userSubject(user),
    after: userOf(user),
  });
  return user;
}

function sessionAnswer(
  parts: AccessParts,
  session: Omit<OpenedSession, "token">,
  providerName: string,
): Session {
  return {
    id: session.id,
    user: session.user,
    provider: { name: providerName },
    server: { version: parts.version },
    signedInAt: session.signedInAt.toISOString(),
    expiresAt: session.expiresAt.toISOString(),
  };
}

function sessionHandlers(parts: AccessParts): HandlersOf<"sessions"> {
  const { database, clock } = parts;
  const providerName = () => database.asSystem("read provider", readProviderName);
  return {
    signIn: async ({ body, visit, cookie }) => {
      const opened = await signIn(parts, body, visit);
      if (opened === "totp-required") return { state: "totp-required" };
      cookie.set(opened.token, opened.expiresAt);
      return { state: "signed-in", session: sessionAnswer(parts, opened, await providerName()) };
    },
    signInByLink: async ({ body, visit, cookie }) => {
      const opened = await signInByLink(parts, body.token, visit);
      cookie.set(opened.token, opened.expiresAt);
      return sessionAnswer(parts, opened, await providerName());
    },
    signOut: async ({ cookie }) => {
      const { token } = cookie;
      if (token !== undefined) await database.asSystem("sign out", (tx) => endSessionOfToken(tx, token));
      cookie.clear();
    },
    read: async ({ cookie }) =>
      database.asSystem("read session", async (tx) => {
        const session = await findSession(tx, clock, cookie.token ?? "");
        if (session === undefined)
          throw accessErrors.error("not-signed-in", "Cannot go on: the session has ended; sign in again");
        return sessionAnswer(parts, session, await readProviderName(tx));
      }),
    list: ({ caller }) =>
      database.asSystem("list sessions", async (tx) => ({
        items: await listSessions(tx, clock, caller.user.id, caller.sessionId),
      })),
    end: async ({ caller, params }) => {
      await database.asSystem("end session", async (tx) => {
        await endSession(tx, caller.user.id, params.sessionId);
        await appendAudit(tx, {
          actor: caller.actor,
          action: "session.end",
          customerId: null,
          subject: userSubject(caller.user),
        });
      });
    },
  };
}
