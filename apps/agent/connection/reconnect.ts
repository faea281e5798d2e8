/** How long to stay away after a connection ended, so that a fleet does not come back together. */

import { agentErrors } from "../errors.ts";

export const PAUSE_FIRST_MS = 1000;
export const PAUSE_MAX_MS = 60_000;

/** Another agent proved the same key: coming back at once would only make the two take turns. */
export const SUPERSEDED_PAUSE_MS = 10 * 60_000;

/** A connection that lasted so long starts the pauses anew. */
export const LASTING_MS = 30_000;

/** The pause before attempt `failuresInARow + 1`; `random` in [0, 1). At least half of the step, so that none hammers. */
export function reconnectPauseMs(failuresInARow: number, random: number): number {
  const step = Math.min(PAUSE_MAX_MS, PAUSE_FIRST_MS * 2 ** Math.min(20, Math.max(0, failuresInARow - 1)));
  return step * (0.5 + random / 2);
}

/** Whether coming back with the same credentials is of no use. */
export function isFinal(cause: unknown): boolean {
  return agentErrors.is(cause, "server-refused") && cause.values["final"] === true;
}
