/** Users, sign-in, sessions, the second factor, and the audit log. */

import { z } from "zod";
import { auditEntryId, customerId, sessionId, userId } from "./ids.ts";
import { role, route } from "./route.ts";
import { displayName, instant, pageOf, pageQuery } from "./values.ts";

export const PASSWORD_LENGTH_MIN = 12;
export const PASSWORD_LENGTH_MAX = 256;

const email = z.email().max(254).toLowerCase();
const secretText = z.string().min(1).max(PASSWORD_LENGTH_MAX);
const newPassword = z.string().min(PASSWORD_LENGTH_MIN).max(PASSWORD_LENGTH_MAX);
const linkToken = z.string().min(20).max(200);

export const user = z.object({
  id: userId,
  email: z.string(),
  name: z.string(),
  role,
  /** A user is never deleted: the audit log speaks of it. */
  state: z.enum(["active", "off"]),
  password: z.enum(["set", "unset"]),
  totp: z.enum(["on", "off"]),
  lastSignInAt: instant.nullable(),
  createdAt: instant,
});
export type User = z.output<typeof user>;

/** The running session, as the console needs it after every page load. */
export const session = z.object({
  id: sessionId,
  user,
  provider: z.object({ name: z.string() }),
  server: z.object({ version: z.string() }),
  signedInAt: instant,
  expiresAt: instant,
});
export type Session = z.output<typeof session>;

/** `totp-required`: the password is right; send the same request again with `code`. */
export const signInAnswer = z.discriminatedUnion("state", [
  z.object({ state: z.literal("signed-in"), session }),
  z.object({ state: z.literal("totp-required") }),
]);
export type SignInAnswer = z.output<typeof signInAnswer>;

export const openSession = z.object({
  id: sessionId,
  current: z.boolean(),
  signedInAt: instant,
  lastSeenAt: instant,
  expiresAt: instant,
  address: z.string(),
  userAgent: z.string(),
});
export type OpenSession = z.output<typeof openSession>;

/** Opens once, signs its user in; the path is for this server's address: `/sign-in/link#TOKEN`. */
export const signInLink = z.object({ path: z.string(), expiresAt: instant });
export type SignInLink = z.output<typeof signInLink>;

export const auditEntry = z.object({
  id: auditEntryId,
  at: instant,
  /** `user`, `agent`, `peer` or `server` itself. `name` is as it was then. */
  actor: z.object({
    kind: z.enum(["user", "agent", "peer", "server"]),
    id: z.string().nullable(),
    name: z.string(),
  }),
  /** `area.verb`: `device.approve`, `plan.update`. */
  action: z.string(),
  customerId: customerId.nullable(),
  /** What was changed. */
  subject: z.object({ kind: z.string(), id: z.string(), name: z.string() }),
  before: z.unknown().optional(),
  after: z.unknown().optional(),
});
export type AuditEntry = z.output<typeof auditEntry>;

const userParams = z.object({ userId });

export const setUpRoutes = {
  read: route({
    method: "GET",
    path: "/api/set-up",
    summary: "Whether the first owner is still to be made",
    access: "public",
    output: z.object({ state: z.enum(["needed", "done"]), serverName: z.string() }),
  }),
  /** Makes the first owner and signs in (sets the cookie). The token is after `#` in the link printed at the first start. */
  complete: route({
    method: "POST",
    path: "/api/set-up",
    summary: "Make the first owner with the one-time set-up token",
    access: "public",
    body: z.strictObject({
      token: linkToken,
      providerName: displayName,
      email,
      name: displayName,
      password: newPassword,
    }),
    output: session,
    errors: ["access.set-up-done", "access.link-spent", "access.weak-password", "access.rate-limited"],
  }),
} as const;

export const sessionRoutes = {
  /** `code` is the six digits of the authenticator or one recovery code. Sets the cookie `mainstay_session`. */
  signIn: route({
    method: "POST",
    path: "/api/sign-in",
    summary: "Sign in with password and, where on, a one-time code",
    access: "public",
    body: z.strictObject({ email, password: secretText, code: z.string().trim().min(6).max(40).optional() }),
    output: signInAnswer,
    errors: ["access.wrong-credentials", "access.wrong-code", "access.rate-limited"],
  }),
  signInByLink: route({
    method: "POST",
    path: "/api/sign-in/link",
    summary: "Sign in with a one-time link",
    access: "public",
    body: z.strictObject({ token: linkToken }),
    output: session,
    errors: ["access.link-spent", "access.rate-limited"],
  }),
  signOut: route({
    method: "POST",
    path: "/api/sign-out",
    summary: "End this session",
    access: "public",
    output: "nothing",
  }),
  read: route({
    method: "GET",
    path: "/api/session",
    summary: "Who is signed in",
    access: "read-only",
    output: session,
  }),
  list: route({
    method: "GET",
    path: "/api/sessions",
    summary: "Open sessions of the signed-in user",
    access: "read-only",
    output: z.object({ items: z.array(openSession) }),
  }),
  end: route({
    method: "DELETE",
    path: "/api/sessions/:sessionId",
    summary: "End one of the signed-in user's sessions",
    access: "read-only",
    params: z.object({ sessionId }),
    output: "nothing",
  }),
} as const;

export const accountRoutes = {
  update: route({
    method: "PATCH",
    path: "/api/account",
    summary: "Change one's own name",
    access: "read-only",
    body: z.strictObject({ name: displayName }),
    output: user,
  }),
  /** `currentPassword` may be left out only while `user.password` is `unset`. Ends all other sessions. */
  changePassword: route({
    method: "PUT",
    path: "/api/account/password",
    summary: "Change one's own password",
    access: "read-only",
    body: z.strictObject({ currentPassword: secretText.optional(), newPassword }),
    output: user,
    errors: ["access.wrong-credentials", "access.weak-password", "access.rate-limited"],
  }),
  /** Nothing is on until `confirmTotp`; show `otpauthUrl` as a QR code and `secret` as text. */
  beginTotp: route({
    method: "POST",
    path: "/api/account/totp",
    summary: "Begin turning the second factor on",
    access: "read-only",
    output: z.object({ secret: z.string(), otpauthUrl: z.string() }),
    errors: ["request.conflict"],
  }),
  confirmTotp: route({
    method: "POST",
    path: "/api/account/totp/confirm",
    summary: "Turn the second factor on with its first code",
    access: "read-only",
    body: z.strictObject({ code: z.string().trim().min(6).max(8) }),
    output: z.object({ recoveryCodes: z.array(z.string()) }),
    errors: ["access.wrong-code", "request.conflict", "access.rate-limited"],
  }),
  removeTotp: route({
    method: "POST",
    path: "/api/account/totp/remove",
    summary: "Turn the second factor off",
    access: "read-only",
    body: z.strictObject({ password: secretText }),
    output: user,
    errors: ["access.wrong-credentials", "access.rate-limited"],
  }),
} as const;

export const userRoutes = {
  list: route({
    method: "GET",
    path: "/api/users",
    summary: "All users",
    access: "technician",
    query: z.object(pageQuery),
    output: pageOf(user),
  }),
  /** The new user has no password; the link signs in once so that one can be set. */
  create: route({
    method: "POST",
    path: "/api/users",
    summary: "Add a user and make the link to sign in first",
    access: "owner",
    body: z.strictObject({ email, name: displayName, role }),
    output: z.object({ user, link: signInLink }),
    errors: ["request.conflict"],
  }),
  update: route({
    method: "PATCH",
    path: "/api/users/:userId",
    summary: "Change name, role or state of a user",
    access: "owner",
    params: userParams,
    body: z.strictObject({
      name: displayName.optional(),
      role: role.optional(),
      state: z.enum(["active", "off"]).optional(),
    }),
    output: user,
    errors: ["access.last-owner"],
  }),
  makeSignInLink: route({
    method: "POST",
    path: "/api/users/:userId/sign-in-link",
    summary: "Make a one-time sign-in link for a user",
    access: "owner",
    params: userParams,
    output: signInLink,
    errors: ["request.conflict"],
  }),
  removeTotp: route({
    method: "POST",
    path: "/api/users/:userId/totp/remove",
    summary: "Turn a user's second factor off (lost phone)",
    access: "owner",
    params: userParams,
    output: user,
  }),
} as const;

export const auditRoutes = {
  list: route({
    method: "GET",
    path: "/api/audit",
    summary: "Every change, newest first",
    access: "technician",
    query: z.object({
      ...pageQuery,
      customerId: customerId.optional(),
      subjectId: z.string().max(100).optional(),
      action: z.string().max(100).optional(),
    }),
    output: pageOf(auditEntry),
  }),
} as const;
