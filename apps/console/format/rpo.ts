/** Whether the age of the newest restore point keeps its promise. The server's verdict stands above this; it only tones a figure. */

export type RpoState = "within" | "late" | "no-target" | "not-measured";

export function rpoState(attainedMinutes: number | null, targetMinutes: number | null): RpoState {
  if (attainedMinutes === null) return "not-measured";
  if (targetMinutes === null) return "no-target";
  return attainedMinutes <= targetMinutes ? "within" : "late";
}
