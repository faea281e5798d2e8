/** Moments in the zone of the site they belong to, with the zone named, so that nobody has to guess whose clock it is. */

/** `22 Nov 2026, 18:43 CET`. */
export function formatInstant(at: Date, timeZone: string): string {
  return new Intl.DateTimeFormat("en-GB", {
    timeZone,
    day: "numeric",
    month: "short",
    year: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    timeZoneName: "short",
  }).format(at);
}

/** `Sun 22 Nov 2026, 18:43:05 CET (Europe/Vienna)`. */
export function formatInstantInFull(at: Date, timeZone: string): string {
  const text = new Intl.DateTimeFormat("en-GB", {
    timeZone,
    weekday: "short",
    day: "numeric",
    month: "short",
    year: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    timeZoneName: "short",
  }).format(at);
  return `${text} (${timeZone})`;
}

/** `22 Nov`, or `18:43` when the axis spans less than two days. */
export function formatAxis(at: Date, timeZone: string, spanMs: number): string {
  const short = spanMs < 2 * 86_400_000;
  return new Intl.DateTimeFormat("en-GB", {
    timeZone,
    ...(short ? { hour: "2-digit", minute: "2-digit" } : { day: "numeric", month: "short" }),
  }).format(at);
}

/** The zone of whoever is looking, for things that belong to no site. */
export function viewerTimeZone(): string {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone;
}
