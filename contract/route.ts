/** What a route is: a value that server, client and OpenAPI document are all derived from. */

import { z } from "zod";
import type { ErrorCode } from "./errors.ts";

export const roles = ["owner", "technician", "read-only"] as const;
export const role = z.enum(roles);
export type Role = z.output<typeof role>;

/**
 * Who may call: `public` anyone, `read-only`/`technician`/`owner` a signed-in user of at least that role, `peer` another
 * Mainstay by its bearer token.
 */
export type RouteAccess = "public" | Role | "peer";

/** An answer that is not JSON; the client hands back the `Response`. */
export type RawAnswer = "image/png" | "application/x-ndjson";

export type Route = {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** `:name` parts are declared in `params`. */
  readonly path: `/${string}`;
  readonly summary: string;
  readonly access: RouteAccess;
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodType;
  /** `nothing` answers 204. */
  readonly output: z.ZodType | RawAnswer | "nothing";
  /** Codes beyond those that access and input already imply (see `errorsOf`). */
  readonly errors?: readonly ErrorCode[];
};

/** Keeps the literal types of a route. */
export function route<const Declared extends Route>(declared: Declared): Declared {
  return declared;
}

/** All codes a route may answer with. */
export function errorsOf(declared: Route): readonly ErrorCode[] {
  const codes = new Set<ErrorCode>(declared.errors ?? []);
  if (declared.params !== undefined || declared.query !== undefined || declared.body !== undefined)
    codes.add("request.invalid");
  if (declared.params !== undefined) codes.add("request.not-found");
  if (declared.method !== "GET") codes.add("request.foreign-origin");
  if (declared.access !== "public") codes.add("access.not-signed-in").add("access.not-allowed");
  return [...codes.add("server.defect")].sort();
}

/** Fits where every field may be left out. */
// oxlint-disable-next-line typescript/no-empty-object-type -- exactly this type is meant
export type NoFields = {};

type Part<
  Declared,
  Name extends "params" | "query" | "body",
  Side extends "input" | "output",
> = Declared extends { readonly [Key in Name]: infer Schema extends z.ZodType }
  ? Side extends "output"
    ? { readonly [Key in Name]: z.output<Schema> }
    : NoFields extends z.input<Schema>
      ? { readonly [Key in Name]?: z.input<Schema> }
      : { readonly [Key in Name]: z.input<Schema> }
  : unknown;

/** What a caller hands in: `{params, query, body}`, each only where the route declares it. */
export type RequestOf<Declared> = Part<Declared, "params", "input"> &
  Part<Declared, "query", "input"> &
  Part<Declared, "body", "input">;

/** What a handler receives, after validation. */
export type ParsedRequestOf<Declared> = Part<Declared, "params", "output"> &
  Part<Declared, "query", "output"> &
  Part<Declared, "body", "output">;

/** What the caller receives. */
export type AnswerOf<Declared> = Declared extends { readonly output: infer Output }
  ? Output extends z.ZodType
    ? z.output<Output>
    : Output extends RawAnswer
      ? Response
      : void
  : never;
