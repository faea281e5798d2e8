/**
 * Which restore points of a device go: its plan's counts, and the rule that nothing is dropped which is still the best
 * proof of recovery that we have.
 */

import { assert } from "@mainstay/kit";
import { isEmptyForgetPolicy, KEEP_ALL, planForget } from "@mainstay/vault";

/** Counts to keep, as in a protection plan. */
export type RetentionPolicy = {
  readonly last: number;
  readonly hourly: number;
  readonly daily: number;
  readonly weekly: number;
  readonly monthly: number;
  readonly yearly: number;
};

export type RetentionPoint = {
  readonly id: string;
  /** By the server's clock: the device's own could make good points look old. */
  readonly takenAt: Date;
  readonly state: "usable" | "damaged";
  /** When a restore test last passed on it. */
  readonly provenAt: Date | null;
  /** A recovery session, restore test or replication is reading it. */
  readonly inUse: boolean;
};

export type RetentionFacts = {
  /** Days and weeks are those of the site's time zone. */
  readonly timeZone: string;
};

export type RetentionPlan = {
  readonly keep: readonly { readonly id: string; readonly reasons: readonly string[] }[];
  readonly drop: readonly string[];
};

/**
 * Splits the points; both lists newest first. Never dropped: the newest usable point, the newest proven point (the one
 * taken last among those that passed a test), and any point in use. A policy that keeps nothing drops nothing: it is
 * a mistake, not an order.
 */
export function planRetention(
  points: readonly RetentionPoint[],
  policy: RetentionPolicy,
  facts: RetentionFacts,
): RetentionPlan {
  const byPolicy = planForget(
    points.map((point) => ({ ...point, time: point.takenAt })),
    isEmptyForgetPolicy(policy) ? { last: KEEP_ALL } : policy,
    { timeZone: facts.timeZone },
  );
  const reasons = new Map(byPolicy.keep.map((kept) => [kept.snapshot.id, [...kept.reasons]]));
  for (const [id, reason] of neverDropped(points)) reasons.set(id, [...(reasons.get(id) ?? []), reason]);
  const newestFirst = points.toSorted((one, other) => other.takenAt.getTime() - one.takenAt.getTime());
  const keep = newestFirst.flatMap(({ id }) => {
    const kept = reasons.get(id);
    return kept === undefined ? [] : [{ id, reasons: kept }];
  });
  const drop = newestFirst.filter(({ id }) => !reasons.has(id)).map(({ id }) => id);
  assert(keep.length + drop.length === points.length, "every point is either kept or dropped");
  return { keep, drop };
}

function neverDropped(points: readonly RetentionPoint[]): readonly (readonly [string, string])[] {
  const usable = points.filter((point) => point.state === "usable");
  const newestUsable = newestOf(usable);
  const newestProven = newestOf(usable.filter((point) => point.provenAt !== null));
  return [
    ...(newestUsable === undefined ? [] : [[newestUsable.id, "newest usable"] as const]),
    ...(newestProven === undefined ? [] : [[newestProven.id, "newest proven"] as const]),
    ...points.filter((point) => point.inUse).map((point) => [point.id, "in use"] as const),
  ];
}

function newestOf(points: readonly RetentionPoint[]): RetentionPoint | undefined {
  return points.reduce<RetentionPoint | undefined>(
    (newest, point) => (newest === undefined || point.takenAt >= newest.takenAt ? point : newest),
    undefined,
  );
}
