/** Who sends a request, and whether the route takes them. */

import type { IncomingMessage } from "node:http";
import { fastifyCookie } from "@fastify/cookie";
import type { RouteAccess } from "@mainstay/contract";
import { mayCall } from "../access/roles.ts";
import type { Visit } from "../access/sessions.ts";
import { accessErrors } from "./errors.ts";
import type { Caller, PeerCaller, UserCaller } from "./handlers.ts";

export const SESSION_COOKIE = "mainstay_session";

export type Authenticators = {
  readonly user: (token: string) => Promise<UserCaller | undefined>;
  /** `id` and `secret` of a peer's bearer token `ID.SECRET`. */
  readonly peer: (id: string, secret: string) => Promise<PeerCaller | undefined>;
};

export function sessionToken(request: IncomingMessage): string | undefined {
  return fastifyCookie.parse(request.headers.cookie ?? "")[SESSION_COOKIE];
}

export function visitOf(request: IncomingMessage): Visit {
  return {
    address: request.socket.remoteAddress ?? "unknown",
    userAgent: request.headers["user-agent"] ?? "",
  };
}

/** Throws `access.not-signed-in` or `access.not-allowed`. */
export async function callerFor(
  access: RouteAccess,
  request: IncomingMessage,
  authenticators: Authenticators,
): Promise<Caller> {
  if (access === "public") return { kind: "anyone" };
  if (access === "peer") return peerFor(request, authenticators);
  const token = sessionToken(request);
  const caller = token === undefined ? undefined : await authenticators.user(token);
  if (caller === undefined)
    throw accessErrors.error("not-signed-in", "Cannot answer: nobody is signed in; sign in first");
  if (mayCall(caller.user.role, access)) return caller;
  throw accessErrors.error(
    "not-allowed",
    `Cannot do this with the role "${caller.user.role}": it wants "${access}"; ask an owner`,
    { values: { role: caller.user.role, wanted: access } },
  );
}

const BEARER = /^Bearer ([0-9a-f-]{36})\.([A-Za-z0-9_-]{20,100})$/;

async function peerFor(request: IncomingMessage, authenticators: Authenticators): Promise<PeerCaller> {
  const match = BEARER.exec(request.headers.authorization ?? "");
  const caller = match === null ? undefined : await authenticators.peer(match[1] ?? "", match[2] ?? "");
  if (caller !== undefined) return caller;
  throw accessErrors.error(
    "not-signed-in",
    "Cannot answer: the peer token is unknown or revoked; ask for a new invitation",
  );
}
