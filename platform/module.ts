/** What a module is to the server: its tables, and the parts it hands over once it stands on the platform. */

import type { AgentHooks } from "./agents.ts";
import type { MigrationSource } from "./database/migrations.ts";
import type { AreaHandlers, PeerCaller, RawMount, SocketMount } from "./http/handlers.ts";

/** Known before anything runs. A module exports it beside its constructor. */
export type ModuleDeclaration = MigrationSource & {
  /** Modules whose tables must be there first. */
  readonly needs: readonly string[];
};

/** A module that stands; the server asks it for nothing else. All lists may be left out. */
export type ModuleParts = {
  readonly name: string;
  readonly handlers: AreaHandlers;
  readonly rawMounts?: readonly RawMount[];
  readonly sockets?: readonly SocketMount[];
  readonly agents?: AgentHooks;
  /** The caller of a peer's bearer token; one module only. */
  readonly authenticatePeer?: (id: string, secret: string) => Promise<PeerCaller | undefined>;
  /** After the tables are there and before requests come: workers, schedules, what a crash left. */
  readonly start?: () => Promise<void>;
  /** After the last request. */
  readonly stop?: () => Promise<void>;
};
