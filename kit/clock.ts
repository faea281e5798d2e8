/** Time as a value: code takes a `Clock`, so that tests can hold it still. */

export type Clock = {
  /** The wall clock. May jump; never use it to measure a duration. */
  now(): Date;
  /** Milliseconds from an arbitrary start that never goes back. */
  monotonicMs(): number;
};

export const systemClock: Clock = {
  now: () => new Date(),
  monotonicMs: () => performance.now(),
};

export type FakeClock = Clock & { advance(milliseconds: number): void };

/** A clock that moves only when told. */
export function fakeClock(start = new Date("2026-01-01T00:00:00Z")): FakeClock {
  let elapsedMs = 0;
  return {
    now: () => new Date(start.getTime() + elapsedMs),
    monotonicMs: () => elapsedMs,
    advance: (milliseconds) => {
      elapsedMs += milliseconds;
    },
  };
}
