/** Commands of the machine's owner beside the running server: who can read the data folder's keys may do this. */

import { join } from "node:path";
import { systemClock } from "@mainstay/kit";
import {
  appendAudit,
  makeSignInLink,
  openDatabase,
  openKeyFolder,
  serverActor,
  type Database,
  type Tx,
} from "@mainstay/platform";
import { serverProcessErrors } from "./errors.ts";
import { readRunningFile, type RunningFile } from "./running-file.ts";

/** Opens the database of the running server for `work`. Throws `server-process.not-running`. */
export async function besideServer<Result>(
  dataDirectory: string,
  work: (database: Database, running: RunningFile) => Promise<Result>,
): Promise<Result> {
  const running = await readRunningFile(dataDirectory);
  if (running === undefined) {
    throw serverProcessErrors.error(
      "not-running",
      `Cannot reach a server on "${dataDirectory}": none runs there; start it with "mainstay up --data ${dataDirectory}"`,
    );
  }
  const keys = await openKeyFolder(join(dataDirectory, "keys"));
  const database = openDatabase(
    { ...running.database, password: await keys.password("database-app") },
    () => undefined,
  );
  try {
    return await work(database, running);
  } finally {
    await database.close();
  }
}

/** A whole one-time link, `https://…/sign-in/link#…`, for the user of `email`, or the first owner. */
export function adminSignInLink(dataDirectory: string, email?: string): Promise<string> {
  return besideServer(dataDirectory, (database, { address }) => signInLinkFor(database, address, email));
}

export function signInLinkFor(database: Database, address: string, email?: string): Promise<string> {
  return database.asSystem("admin sign-in link", async (tx) => {
    const user = await findUser(tx, email);
    const link = await makeSignInLink(tx, systemClock, user.id);
    const subject = { kind: "user", id: user.id, name: user.email };
    await appendAudit(tx, {
      actor: serverActor,
      action: "user.make-sign-in-link",
      customerId: null,
      subject,
    });
    return `${address}${link.path}`;
  });
}

async function findUser(
  tx: Tx,
  email: string | undefined,
): Promise<{ readonly id: string; readonly email: string }> {
  const [user] = await tx.query<{ id: string; email: string }>(
    `select id, email from access.user where state = 'active' and case when $1::text is null then role = 'owner' else email = lower($1) end
     order by created_at limit 1`,
    [email ?? null],
  );
  if (user !== undefined) return user;
  throw serverProcessErrors.error(
    "no-owner",
    `Cannot make a link: found no active ${email === undefined ? "owner; set the server up first" : `user "${email}"`}`,
  );
}
