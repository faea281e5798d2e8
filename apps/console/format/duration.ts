/** Lengths of time for people: never more than two units, never a false precision. */

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** `380 ms`, `3.4 s`, `42 s`, `2 min 5 s`, `1 h 12 min`, `3 d 4 h`. */
export function formatDuration(durationMs: number): string {
  if (durationMs < SECOND) return `${Math.round(durationMs)} ms`;
  if (durationMs < 9.95 * SECOND) return `${(durationMs / SECOND).toFixed(1)} s`;
  if (durationMs < 59.5 * SECOND) return `${Math.round(durationMs / SECOND)} s`;
  if (durationMs < HOUR - SECOND / 2) return twoUnits(Math.round(durationMs / SECOND), 60, "min", "s");
  if (durationMs < DAY - MINUTE / 2) return twoUnits(Math.round(durationMs / MINUTE), 60, "h", "min");
  return twoUnits(Math.round(durationMs / HOUR), 24, "d", "h");
}

/** Minutes as used by RPO targets: `15 min`, `4 h`, `1 d 6 h`. */
export function formatMinutes(minutes: number): string {
  if (minutes < 1) return "under 1 min";
  return formatDuration(Math.round(minutes) * MINUTE);
}

/** `just now`, `4 min ago`, `in 2 h`: one unit only, for reading at a glance. */
export function formatRelative(at: Date, now: Date): string {
  const distanceMs = now.getTime() - at.getTime();
  const size = Math.abs(distanceMs);
  if (size < 10 * SECOND) return "just now";
  const text = oneUnit(size);
  return distanceMs >= 0 ? `${text} ago` : `in ${text}`;
}

function oneUnit(sizeMs: number): string {
  if (sizeMs < MINUTE) return `${Math.floor(sizeMs / SECOND)} s`;
  if (sizeMs < HOUR) return `${Math.floor(sizeMs / MINUTE)} min`;
  if (sizeMs < 2 * DAY) return `${Math.floor(sizeMs / HOUR)} h`;
  if (sizeMs < 60 * DAY) return `${Math.floor(sizeMs / DAY)} days`;
  return `${Math.floor(sizeMs / (30 * DAY))} months`;
}

function twoUnits(total: number, step: number, large: string, small: string): string {
  const rest = total % step;
  const head = `${Math.floor(total / step)} ${large}`;
  return rest === 0 ? head : `${head} ${rest} ${small}`;
}
