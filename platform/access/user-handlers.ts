/** The routes by which owners keep the list of users. */

import type { UserId } from "@mainstay/contract";
import { appendAudit } from "../audit/audit.ts";
import type { Tx } from "../database/database.ts";
import { requestErrors } from "../http/errors.ts";
import type { HandlersOf } from "../http/handlers.ts";
import { userSubject, type AccessParts } from "./parts.ts";
import { makeSignInLink } from "./links.ts";
import { removeTotp } from "./second-factor.ts";
import { addUser, changeUser, listUsers, readUser, userOf, type UserRow } from "./users.ts";

export function userHandlers({ database, clock, live }: AccessParts): HandlersOf<"users"> {
  const announce = (tx: Tx, id: string) =>
    live.announce(tx, { type: "user.changed", customerId: null, deviceId: null, subjectId: id });
  return {
    list: ({ query }) => database.asSystem("list users", (tx) => listUsers(tx, query)),
    create: ({ caller, body }) =>
      database.asSystem("add user", async (tx) => {
        const user = await addUser(tx, { ...body, passwordHash: null });
        await appendAudit(tx, {
          actor: caller.actor,
          action: "user.create",
          customerId: null,
          subject: userSubject(user),
          after: userOf(user),
        });
        await announce(tx, user.id);
        return { user: userOf(user), link: await makeSignInLink(tx, clock, user.id) };
      }),
    update: ({ caller, params, body }) =>
      database.asSystem("change user", async (tx) => {
        const before = await readUser(tx, params.userId);
        const after = await changeUser(tx, before, body);
        await appendAudit(tx, {
          actor: caller.actor,
          action: "user.update",
          customerId: null,
          subject: userSubject(after),
          before: userOf(before),
          after: userOf(after),
        });
        await announce(tx, after.id);
        return userOf(after);
      }),
    makeSignInLink: ({ caller, params }) =>
      database.asSystem("make sign-in link", async (tx) => {
        const user = await activeUser(tx, params.userId);
        await appendAudit(tx, {
          actor: caller.actor,
          action: "user.make-sign-in-link",
          customerId: null,
          subject: userSubject(user),
        });
        return makeSignInLink(tx, clock, user.id);
      }),
    removeTotp: ({ caller, params }) =>
      database.asSystem("remove second factor of user", async (tx) => {
        const user = await readUser(tx, params.userId);
        await removeTotp(tx, user.id);
        await appendAudit(tx, {
          actor: caller.actor,
          action: "user.totp-off",
          customerId: null,
          subject: userSubject(user),
        });
        await announce(tx, user.id);
        return userOf(await readUser(tx, params.userId));
      }),
  };
}

async function activeUser(tx: Tx, id: UserId): Promise<UserRow> {
  const user = await readUser(tx, id);
  if (user.state === "active") return user;
  throw requestErrors.error(
    "conflict",
    `Cannot make a link for "${user.email}": the user is turned off; turn it on first`,
  );
}
