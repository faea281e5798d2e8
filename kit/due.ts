/**
 * When a thing that repeats is next due. Pure: the clock, the history and the spread come in as values.
 *
 * A wrong clock does harm in two ways: set back, a device that "ran in the future" would fall silent for as long; set
 * forward, the whole fleet would be overdue at once. Both are answered here.
 */

import { createHash } from "node:crypto";
import { assert } from "./assert.ts";

export type DueFacts = {
  readonly now: Date;
  readonly intervalMs: number;
  /** The last success, by the clock as it then was; `null`: none yet. */
  readonly lastSucceededAt: Date | null;
  readonly lastAttempt: { readonly startedAt: Date; readonly failedInARow: number } | null;
  /** Spreads a fleet: 0 <= spread < 1, the same for one device each time. See {@link spreadOf}. */
  readonly spread: number;
};

export type Due = {
  readonly at: Date;
  readonly reason: "first" | "interval" | "retry" | "clock-set-back";
};

/** The first run of a device comes within this time of its plan, so that a hundred new devices do not begin together. */
export const FIRST_DELAY_MAX_MS = 2 * 60_000;

/** A run starts up to this part of the interval early: never late, so that the RPO holds. */
export const JITTER_PART = 0.1;

/** After failures: this, doubled each time, up to the interval. */
export const RETRY_FIRST_MS = 60_000;
export const RETRY_MAX_MS = 60 * 60_000;

/** Overdue by more than an interval, as after an outage or a jump of the clock: come back over this part of one. */
export const CATCH_UP_PART = 0.25;
const CATCH_UP_MAX_MS = 10 * 60_000;

/** A history this far in the future means that the clock was set back. */
const CLOCK_TOLERANCE_MS = 60_000;

/** When the next run should start; at or before `now`: at once. Its answer does not move as `now` goes on. */
export function nextDue(facts: DueFacts): Due {
  assert(facts.intervalMs > 0, "an interval is positive");
  assert(facts.spread >= 0 && facts.spread < 1, "a spread is in [0, 1)");
  const { now, lastSucceededAt, lastAttempt } = facts;
  const latest = Math.max(lastSucceededAt?.getTime() ?? 0, lastAttempt?.startedAt.getTime() ?? 0);
  if (latest > now.getTime() + CLOCK_TOLERANCE_MS) return { at: now, reason: "clock-set-back" };
  if (lastAttempt !== null && lastAttempt.failedInARow > 0)
    return { at: new Date(lastAttempt.startedAt.getTime() + retryPauseMs(facts)), reason: "retry" };
  if (lastSucceededAt === null) return { at: now, reason: "first" };
  const early = facts.spread * JITTER_PART;
  return { at: new Date(lastSucceededAt.getTime() + facts.intervalMs * (1 - early)), reason: "interval" };
}

/**
 * Which of the devices that are due start now: those overdue for long are let in one after the other, by their spread,
 * over the time since `wokeAt` (when the scheduler began, or last saw the clock jump forward).
 */
export function mayStart(facts: DueFacts, due: Due, wokeAt: Date): boolean {
  if (due.at > facts.now) return false;
  const windowMs =
    due.reason === "first"
      ? Math.min(FIRST_DELAY_MAX_MS, facts.intervalMs * CATCH_UP_PART)
      : Math.min(CATCH_UP_MAX_MS, facts.intervalMs * CATCH_UP_PART);
  const lateMs = facts.now.getTime() - due.at.getTime();
  const isOverdue = due.reason === "first" || due.reason === "clock-set-back" || lateMs > windowMs;
  return !isOverdue || facts.now.getTime() >= wokeAt.getTime() + facts.spread * windowMs;
}

/** Whether the wall clock jumped against the steady one between two looks; then `wokeAt` is now. */
export function clockJumped(
  before: { readonly wallMs: number; readonly steadyMs: number },
  after: { readonly wallMs: number; readonly steadyMs: number },
): boolean {
  const driftMs = after.wallMs - before.wallMs - (after.steadyMs - before.steadyMs);
  return Math.abs(driftMs) > CLOCK_TOLERANCE_MS;
}

/** A number in [0, 1) that is always the same for one device and kind of run. */
export function spreadOf(deviceId: string, kind: string): number {
  return createHash("sha256").update(`${kind}\n${deviceId}`).digest().readUInt32BE(0) / 2 ** 32;
}

function retryPauseMs({ intervalMs, lastAttempt, spread }: DueFacts): number {
  const doublings = Math.min(20, (lastAttempt?.failedInARow ?? 1) - 1);
  const pauseMs = Math.min(RETRY_MAX_MS, intervalMs, RETRY_FIRST_MS * 2 ** doublings);
  return pauseMs * (1 - spread * JITTER_PART);
}
