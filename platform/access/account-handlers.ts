/** The routes by which a user changes their own account. */

import { appendAudit } from "../audit/audit.ts";
import { oneRow } from "../database/database.ts";
import { accessErrors } from "../http/errors.ts";
import type { HandlersOf, UserCaller } from "../http/handlers.ts";
import { countAttempt } from "./attempts.ts";
import { userSubject, type AccessParts } from "./parts.ts";
import { checkNewPassword, hashPassword, verifyPassword } from "./password.ts";
import { readProviderName } from "./provider.ts";
import { beginTotp, confirmTotp, removeTotp } from "./second-factor.ts";
import { endOtherSessions } from "./sessions.ts";
import { readUser, setPasswordHash, userOf, type UserRow } from "./users.ts";

export function accountHandlers(parts: AccessParts): HandlersOf<"account"> {
  const { database, clock, wrapper } = parts;
  return {
    update: ({ caller, body }) =>
      database.asSystem("rename account", async (tx) => {
        const before = await readUser(tx, caller.user.id);
        const after = oneRow(
          await tx.query<UserRow>("update access.user set name = $2 where id = $1 returning *", [
            before.id,
            body.name,
          ]),
        );
        await appendAudit(tx, {
          ...recordOf(caller, "user.update"),
          before: { name: before.name },
          after: { name: after.name },
        });
        return userOf(after);
      }),
    changePassword: async ({ caller, body }) => {
      checkNewPassword(body.newPassword, caller.user.email);
      await checkCurrentPassword(parts, caller, body.currentPassword);
      const passwordHash = await hashPassword(body.newPassword);
      return database.asSystem("change password", async (tx) => {
        const user = await setPasswordHash(tx, caller.user.id, passwordHash);
        await endOtherSessions(tx, caller.user.id, caller.sessionId);
        await appendAudit(tx, recordOf(caller, "user.change-password"));
        return userOf(user);
      });
    },
    beginTotp: ({ caller }) =>
      database.asSystem("begin second factor", async (tx) =>
        beginTotp(tx, wrapper, await readUser(tx, caller.user.id), await readProviderName(tx)),
      ),
    confirmTotp: async ({ caller, body }) => {
      await countAttempt(database, clock, "password", caller.user.id);
      return database.asSystem("confirm second factor", async (tx) => {
        const recoveryCodes = await confirmTotp(
          tx,
          clock,
          wrapper,
          await readUser(tx, caller.user.id),
          body.code,
        );
        await appendAudit(tx, recordOf(caller, "user.totp-on"));
        return { recoveryCodes };
      });
    },
    removeTotp: async ({ caller, body }) => {
      await checkCurrentPassword(parts, caller, body.password);
      return database.asSystem("remove second factor", async (tx) => {
        await removeTotp(tx, caller.user.id);
        await appendAudit(tx, recordOf(caller, "user.totp-off"));
        return userOf(await readUser(tx, caller.user.id));
      });
    },
  };
}

function recordOf(caller: UserCaller, action: string) {
  return { actor: caller.actor, action, customerId: null, subject: userSubject(caller.user) };
}

/** A stolen session must not become a stolen account. Throws `access.wrong-credentials`. */
async function checkCurrentPassword(
  { database, clock }: AccessParts,
  caller: UserCaller,
  given: string | undefined,
): Promise<void> {
  await countAttempt(database, clock, "password", caller.user.id);
  const user = await database.asSystem("read password", (tx) => readUser(tx, caller.user.id));
  if (user.password_hash === null) return;
  if (await verifyPassword(given ?? "", user.password_hash)) return;
  throw accessErrors.error(
    "wrong-credentials",
    "Cannot change this: the current password is wrong; try again",
  );
}
