/** Lengths of time for people. */

const SECOND_MS = 1000;
const MINUTE_S = 60;
const HOUR_S = 3600;

/** `48` → `"48 ms"`, `5_230` → `"5.2 s"`, `65_000` → `"1 min 05 s"`, `7_380_000` → `"2 h 03 min"`. */
export function formatDuration(durationMs: number): string {
  if (durationMs < 999.5) return `${Math.round(durationMs)} ms`;
  if (durationMs < 59_950) return `${(durationMs / SECOND_MS).toFixed(1)} s`;
  return inMinutes(durationMs);
}

function inMinutes(durationMs: number): string {
  const seconds = Math.round(durationMs / SECOND_MS);
  if (seconds < HOUR_S) return `${Math.floor(seconds / MINUTE_S)} min ${twoDigits(seconds % MINUTE_S)} s`;
  const minutes = Math.round(seconds / MINUTE_S);
  return `${Math.floor(minutes / 60)} h ${twoDigits(minutes % 60)} min`;
}

function twoDigits(value: number): string {
  return String(value).padStart(2, "0");
}
