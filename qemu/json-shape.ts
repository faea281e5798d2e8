/** Reading values out of JSON that others wrote: every access says what it wants, nothing is taken on trust. */

import { qemuErrors } from "./errors.ts";

export type JsonRecord = Readonly<Record<string, unknown>>;

export function isRecord(value: unknown): value is JsonRecord {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** `what` names the answer for the message. */
export function asRecord(value: unknown, what: string): JsonRecord {
  if (isRecord(value)) return value;
  throw unexpected(what, value, "an object");
}

export function asList(value: unknown, what: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw unexpected(what, value, "a list");
}

export function asText(value: unknown, what: string): string {
  if (typeof value === "string") return value;
  throw unexpected(what, value, "a text");
}

export function asNumber(value: unknown, what: string): number {
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw unexpected(what, value, "a number");
}

export function textOr(value: unknown, otherwise: string): string {
  return typeof value === "string" ? value : otherwise;
}

export function numberOr(value: unknown, otherwise: number): number {
  return typeof value === "number" && Number.isFinite(value) ? value : otherwise;
}

function unexpected(what: string, value: unknown, wanted: string): Error {
  const found = (JSON.stringify(value) ?? "nothing").slice(0, 200);
  return qemuErrors.error("protocol-broken", `Cannot understand ${what}: found ${found}, wanted ${wanted}`);
}
