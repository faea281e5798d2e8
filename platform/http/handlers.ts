/** What a handler is: given a validated request and a known caller, it returns the answer or throws a typed error. */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Readable } from "node:stream";
import type { WebSocket } from "ws";
import type { z } from "zod";
import type {
  ParsedRequestOf,
  PeerId,
  RawAnswer,
  Route,
  RouteAccess,
  Routes,
  SessionId,
  User,
} from "@mainstay/contract";
import type { Visit } from "../access/sessions.ts";
import type { Actor } from "../audit/audit.ts";
import type { Scope } from "../database/scope.ts";

export type UserCaller = {
  readonly kind: "user";
  readonly user: User;
  readonly sessionId: SessionId;
  /** What the user may see: every customer of the provider. */
  readonly scope: Scope;
  readonly actor: Actor;
};

export type PeerCaller = {
  readonly kind: "peer";
  readonly peerId: PeerId;
  readonly name: string;
  readonly actor: Actor;
};

export type AnyoneCaller = { readonly kind: "anyone" };

export type Caller = UserCaller | PeerCaller | AnyoneCaller;

export type CallerOf<Access extends RouteAccess> = Access extends "public"
  ? AnyoneCaller
  : Access extends "peer"
    ? PeerCaller
    : UserCaller;

/** The session cookie of this request and its answer. */
export type SessionCookie = {
  readonly token: string | undefined;
  set(token: string, expiresAt: Date): void;
  clear(): void;
};

export type RequestContext = {
  readonly visit: Visit;
  readonly cookie: SessionCookie;
  /** Aborts when the client goes away. */
  readonly signal: AbortSignal;
};

/** The body of an answer that is not JSON; its content type is the route's. */
export type RawBody = { readonly body: Uint8Array | Readable; readonly fileName?: string };

type ResultOf<Declared extends Route> = Declared["output"] extends z.ZodType
  ? z.input<Declared["output"]>
  : Declared["output"] extends RawAnswer
    ? RawBody
    : void;

export type Handler<Declared extends Route> = (
  request: ParsedRequestOf<Declared> & RequestContext & { readonly caller: CallerOf<Declared["access"]> },
) => Promise<ResultOf<Declared>>;

/** Handlers of one area of the route table: one for each route, by name. */
export type HandlersOf<Area extends keyof Routes> = {
  readonly [Name in keyof Routes[Area]]: Routes[Area][Name] extends Route
    ? Handler<Routes[Area][Name]>
    : never;
};

/** Handlers by area. The server starts only when all areas together are complete. */
export type AreaHandlers = { readonly [Area in keyof Routes]?: HandlersOf<Area> };

/** Answers every request below `prefix` itself, before routing: for protocols that are not in the table. */
export type RawMount = {
  /** Such as `/restic/`. */
  readonly prefix: `/${string}/`;
  handle(request: IncomingMessage, response: ServerResponse): void;
};

export type SocketRequest = {
  readonly params: Readonly<Record<string, string>>;
  readonly caller: Caller;
  readonly incoming: IncomingMessage;
};

/** A WebSocket at `path` (which may hold `:name` parts). */
export type SocketMount = {
  readonly path: `/${string}`;
  readonly access: RouteAccess;
  readonly messageSizeBytesMax: number;
  /** Rejections close the socket; typed errors tell their message as the reason. */
  open(socket: WebSocket, request: SocketRequest): Promise<void> | void;
};
