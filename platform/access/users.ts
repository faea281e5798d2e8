/** Users as rows: reading, adding, changing. */

import { userId, type Role, type User, type UserId } from "@mainstay/contract";
import { newUuid } from "@mainstay/kit";
import { oneRow, type Tx } from "../database/database.ts";
import { pageAfter, pageFrom, pageLimit, type Page, type PageRequest } from "../database/pages.ts";
import { accessErrors, notFound, requestErrors } from "../http/errors.ts";

export type UserRow = {
  readonly id: string;
  readonly email: string;
  readonly name: string;
  readonly role: Role;
  readonly state: User["state"];
  readonly password_hash: string | null;
  readonly totp_secret: Buffer | null;
  readonly totp_on_at: Date | null;
  readonly totp_last_step: number | null;
  readonly last_sign_in_at: Date | null;
  readonly created_at: Date;
};

export function userOf(row: UserRow): User {
  return {
    id: userId.parse(row.id),
    email: row.email,
    name: row.name,
    role: row.role,
    state: row.state,
    password: row.password_hash === null ? "unset" : "set",
    totp: row.totp_on_at === null ? "off" : "on",
    lastSignInAt: row.last_sign_in_at?.toISOString() ?? null,
    createdAt: row.created_at.toISOString(),
  };
}

/** Throws `request.not-found`. */
export async function readUser(tx: Tx, id: UserId): Promise<UserRow> {
  const [row] = await tx.query<UserRow>("select * from access.user where id = $1 for update", [id]);
  if (row === undefined) throw notFound("user", id);
  return row;
}

export async function findUserByEmail(tx: Tx, email: string): Promise<UserRow | undefined> {
  const [row] = await tx.query<UserRow>("select * from access.user where email = $1", [email.toLowerCase()]);
  return row;
}

export async function listUsers(tx: Tx, request: PageRequest): Promise<Page<User>> {
  const limit = pageLimit(request);
  const rows = await tx.query<UserRow>(
    "select * from access.user where ($1::text is null or email > $1) order by email limit $2",
    [pageAfter(request)?.[0] ?? null, limit + 1],
  );
  return pageFrom(rows, limit, userOf, (row) => [row.email]);
}

export type NewUser = {
  readonly email: string;
  readonly name: string;
  readonly role: Role;
  readonly passwordHash: string | null;
};

/** Throws `request.conflict` when the address is taken. */
export async function addUser(tx: Tx, user: NewUser): Promise<UserRow> {
  const rows = await tx.query<UserRow>(
    `insert into access.user (id, email, name, role, password_hash) values ($1, $2, $3, $4, $5)
     on conflict (email) do nothing returning *`,
    [newUuid(), user.email.toLowerCase(), user.name, user.role, user.passwordHash],
  );
  if (rows.length === 1) return oneRow(rows);
  throw requestErrors.error(
    "conflict",
    `Cannot add user "${user.email}": the address is taken; use another`,
    {
      values: { email: user.email },
    },
  );
}

export type UserChange = {
  readonly name?: string | undefined;
  readonly role?: Role | undefined;
  readonly state?: User["state"] | undefined;
};

/** Throws `access.last-owner`. A user who is turned off loses every session at once. */
export async function changeUser(tx: Tx, before: UserRow, change: UserChange): Promise<UserRow> {
  const after = {
    name: change.name ?? before.name,
    role: change.role ?? before.role,
    state: change.state ?? before.state,
  };
  const rows = await tx.query<UserRow>(
    "update access.user set name = $2, role = $3, state = $4 where id = $1 returning *",
    [before.id, after.name, after.role, after.state],
  );
  await checkOwnerLeft(tx, before);
  if (after.state === "off") await tx.query("delete from access.session where user_id = $1", [before.id]);
  return oneRow(rows);
}

async function checkOwnerLeft(tx: Tx, changed: UserRow): Promise<void> {
  // Locked together, so that two owners cannot turn each other off at the same time.
  const owners = await tx.query(
    "select id from access.user where role = 'owner' and state = 'active' for update",
  );
  if (owners.length > 0) return;
  throw accessErrors.error(
    "last-owner",
    `Cannot change "${changed.email}": it is the last active owner; make another owner first`,
  );
}

export async function setPasswordHash(tx: Tx, id: string, passwordHash: string): Promise<UserRow> {
  return oneRow(
    await tx.query<UserRow>("update access.user set password_hash = $2 where id = $1 returning *", [
      id,
      passwordHash,
    ]),
  );
}
