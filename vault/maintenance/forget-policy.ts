/**
 * Which snapshots a policy keeps, by the rules of restic's `forget` command.
 *
 * Source: restic manual, "Removing snapshots according to a policy"; checked against 40 policies answered by restic.
 */

import { vaultErrors } from "../errors.ts";

export const BUCKET_KINDS = ["hourly", "daily", "weekly", "monthly", "yearly"] as const;
export type BucketKind = (typeof BUCKET_KINDS)[number];

/** Keeps every one there is, without counting down. */
export const KEEP_ALL = -1;

/** A span counted back from the newest snapshot, in calendar units. */
export type CalendarSpan = {
  readonly years: number;
  readonly months: number;
  readonly days: number;
  readonly hours: number;
};

/** What to keep. Counts are of snapshots; a rule that is absent keeps nothing. */
export type ForgetPolicy = {
  readonly last?: number;
  readonly hourly?: number;
  readonly daily?: number;
  readonly weekly?: number;
  readonly monthly?: number;
  readonly yearly?: number;
  readonly within?: CalendarSpan;
  readonly withinEach?: { readonly [Kind in BucketKind]?: CalendarSpan };
  /** A snapshot that carries all tags of one of the lists is kept. */
  readonly tags?: readonly (readonly string[])[];
};

export type ForgettableSnapshot = {
  readonly time: Date;
  readonly tags?: readonly string[];
  readonly hostname?: string;
  readonly paths?: readonly string[];
};

export type KeptSnapshot<Snapshot> = { readonly snapshot: Snapshot; readonly reasons: readonly string[] };

export type ForgetPlan<Snapshot> = {
  /** Newest first. */
  readonly keep: readonly KeptSnapshot<Snapshot>[];
  /** Newest first. */
  readonly forget: readonly Snapshot[];
};

export type ForgetOptions = {
  /** Hours, days, weeks and months are those of this IANA time zone. */
  readonly timeZone?: string;
  /** Snapshots dated after this instant do not move the start of a span; absent: none is held to be in the future. */
  readonly now?: Date;
};

type WallTime = {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
};

type Bucket = {
  readonly reason: string;
  readonly slotOf: (wall: WallTime, position: number) => number;
  /** How many more may be kept; `KEEP_ALL` never ends. */
  remaining: number;
  /** Only snapshots after this instant. */
  readonly after: Date | undefined;
  lastSlot: number;
};

/**
 * Sorts the snapshots newest first and says which the policy keeps and why. All belong to one group: see
 * {@link groupForForget}. An empty policy keeps nothing, as in restic; callers refuse it before they come here.
 */
export function planForget<Snapshot extends ForgettableSnapshot>(
  snapshots: readonly Snapshot[],
  policy: ForgetPolicy,
  options: ForgetOptions = {},
): ForgetPlan<Snapshot> {
  const sorted = [...snapshots].sort((one, other) => other.time.getTime() - one.time.getTime());
  const wallTimeOf = wallClock(options.timeZone ?? "UTC");
  const latest = latestOf(sorted, options.now);
  const buckets = bucketsOf(policy, latest);
  const keep: KeptSnapshot<Snapshot>[] = [];
  const forget: Snapshot[] = [];
  for (const [position, snapshot] of sorted.entries()) {
    const reasons = tagReasons(policy, snapshot);
    if (policy.within !== undefined && snapshot.time > spanBefore(latest, policy.within))
      reasons.push(`within ${formatCalendarSpan(policy.within)}`);
    const wall = wallTimeOf(snapshot.time);
    const isOldest = position === sorted.length - 1;
    for (const bucket of buckets)
      reasons.push(...bucketReasons(bucket, snapshot.time, wall, position, isOldest));
    if (reasons.length > 0) keep.push({ snapshot, reasons });
    else forget.push(snapshot);
  }
  return { keep, forget };
}

/** Whether no rule of the policy can keep anything. */
export function isEmptyForgetPolicy(policy: ForgetPolicy): boolean {
  const counts = [policy.last, ...BUCKET_KINDS.map((kind) => policy[kind])];
  const spans = [policy.within, ...BUCKET_KINDS.map((kind) => policy.withinEach?.[kind])];
  return (
    counts.every((count) => count === undefined || count === 0) &&
    spans.every((span) => span === undefined) &&
    (policy.tags ?? []).length === 0
  );
}

/** Splits snapshots as `restic forget --group-by` does (restic's default: host and paths). */
export function groupForForget<Snapshot extends ForgettableSnapshot>(
  snapshots: readonly Snapshot[],
  by: readonly ("host" | "paths" | "tags")[],
): readonly (readonly Snapshot[])[] {
  const groups = new Map<string, Snapshot[]>();
  for (const snapshot of snapshots) {
    const key = JSON.stringify([
      by.includes("host") ? (snapshot.hostname ?? "") : null,
      by.includes("paths") ? [...(snapshot.paths ?? [])].sort() : null,
      by.includes("tags") ? [...(snapshot.tags ?? [])].sort() : null,
    ]);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [snapshot]);
    else group.push(snapshot);
  }
  return [...groups.values()];
}

const SPAN_PART = /(\d+)([ymdh])/gy;

/** `"1y2m3d4h"`, units in any order → a span. */
export function parseCalendarSpan(text: string): CalendarSpan {
  const counts = new Map<string, number>();
  let readTo = 0;
  for (const match of text.matchAll(SPAN_PART)) {
    const unit = match[2] ?? "";
    counts.set(unit, (counts.get(unit) ?? 0) + Number(match[1]));
    readTo = match.index + match[0].length;
  }
  if (readTo === 0 || readTo !== text.length)
    throw vaultErrors.error(
      "span-invalid",
      `Cannot read the span of time: found "${text}", wanted years, months, days, hours such as "1y2m3d4h"`,
      { values: { text } },
    );
  const countOf = (unit: string): number => counts.get(unit) ?? 0;
  return { years: countOf("y"), months: countOf("m"), days: countOf("d"), hours: countOf("h") };
}

/** The span in restic's own notation. */
export function formatCalendarSpan(span: CalendarSpan): string {
  const parts = [
    [span.years, "y"],
    [span.months, "m"],
    [span.days, "d"],
    [span.hours, "h"],
  ] as const;
  return parts
    .filter(([count]) => count !== 0)
    .map(([count, unit]) => `${count}${unit}`)
    .join("");
}

function bucketReasons(
  bucket: Bucket,
  time: Date,
  wall: WallTime,
  position: number,
  isOldest: boolean,
): readonly string[] {
  if (bucket.remaining === 0) return [];
  if (bucket.after !== undefined && time <= bucket.after) return [];
  const slot = bucket.slotOf(wall, position);
  // The oldest is kept as long as a rule has places left: else a history shorter than the rule would lose its start.
  if (slot === bucket.lastSlot && !isOldest) return [];
  const reason = slot === bucket.lastSlot ? `oldest ${bucket.reason}` : bucket.reason;
  bucket.lastSlot = slot;
  if (bucket.remaining > 0) bucket.remaining -= 1;
  return [reason];
}

function bucketsOf(policy: ForgetPolicy, latest: Date): readonly Bucket[] {
  const buckets: Bucket[] = [
    bucketFor("last snapshot", (_wall, position) => position, policy.last ?? 0, undefined),
  ];
  for (const kind of BUCKET_KINDS)
    buckets.push(bucketFor(`${kind} snapshot`, SLOTS[kind], policy[kind] ?? 0, undefined));
  for (const kind of BUCKET_KINDS) {
    const span = policy.withinEach?.[kind];
    if (span === undefined) continue;
    const reason = `${kind} within ${formatCalendarSpan(span)}`;
    buckets.push(bucketFor(reason, SLOTS[kind], KEEP_ALL, spanBefore(latest, span)));
  }
  return buckets;
}

function bucketFor(
  reason: string,
  slotOf: Bucket["slotOf"],
  remaining: number,
  after: Date | undefined,
): Bucket {
  return { reason, slotOf, remaining, after, lastSlot: -1 };
}

/** Equal numbers: the same hour, day, week, month or year. */
const SLOTS: { readonly [Kind in BucketKind]: (wall: WallTime) => number } = {
  hourly: (wall) => ((wall.year * 100 + wall.month) * 100 + wall.day) * 100 + wall.hour,
  daily: (wall) => (wall.year * 100 + wall.month) * 100 + wall.day,
  weekly: isoWeek,
  monthly: (wall) => wall.year * 100 + wall.month,
  yearly: (wall) => wall.year,
};

/** ISO 8601: the week belongs to the year that its Thursday lies in. */
function isoWeek(wall: WallTime): number {
  const day = new Date(Date.UTC(wall.year, wall.month - 1, wall.day));
  const thursday = new Date(day.getTime() + (4 - (day.getUTCDay() || 7)) * DAY_MS);
  const year = thursday.getUTCFullYear();
  const dayOfYear = (thursday.getTime() - Date.UTC(year, 0, 1)) / DAY_MS;
  return year * 100 + Math.floor(dayOfYear / 7) + 1;
}

const DAY_MS = 24 * 60 * 60 * 1000;

function tagReasons(policy: ForgetPolicy, snapshot: ForgettableSnapshot): string[] {
  const tags = new Set(snapshot.tags ?? []);
  return (policy.tags ?? [])
    .filter((wanted) => wanted.every((tag) => tags.has(tag)))
    .map((wanted) => `has tags [${wanted.join(", ")}]`);
}

/** A month that is too short runs over into the next, as in restic. */
function spanBefore(latest: Date, span: CalendarSpan): Date {
  const start = new Date(latest);
  start.setUTCFullYear(
    start.getUTCFullYear() - span.years,
    start.getUTCMonth() - span.months,
    start.getUTCDate() - span.days,
  );
  return new Date(start.getTime() - span.hours * 60 * 60 * 1000);
}

function latestOf(sorted: readonly ForgettableSnapshot[], now: Date | undefined): Date {
  const past = now === undefined ? sorted[0] : sorted.find((snapshot) => snapshot.time <= now);
  return past?.time ?? now ?? new Date(0);
}

function wallClock(timeZone: string): (time: Date) => WallTime {
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone,
    calendar: "gregory",
    numberingSystem: "latn",
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
  });
  return (time) => {
    const parts = new Map(format.formatToParts(time).map((part) => [part.type, Number(part.value)]));
    const part = (type: Intl.DateTimeFormatPartTypes): number => parts.get(type) ?? 0;
    return { year: part("year"), month: part("month"), day: part("day"), hour: part("hour") };
  };
}
