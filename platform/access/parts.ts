/** What the access routes stand on, and how they name users in the audit log. */

import type { Clock } from "@mainstay/kit";
import type { Actor } from "../audit/audit.ts";
import type { Database } from "../database/database.ts";
import type { LiveEvents } from "../events/live.ts";
import type { Wrapper } from "../secrets/wrapping.ts";

export type AccessParts = {
  readonly database: Database;
  readonly clock: Clock;
  readonly wrapper: Wrapper;
  readonly live: LiveEvents;
  /** Of this installation, before the provider has a name. */
  readonly serverName: string;
  readonly version: string;
};

export function userActor(user: { readonly id: string; readonly name: string }): Actor {
  return { kind: "user", id: user.id, name: user.name };
}

export function userSubject(user: { readonly id: string; readonly email: string }) {
  return { kind: "user", id: user.id, name: user.email };
}
