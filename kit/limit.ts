/** At most so many at once. */

export type Limiter = {
  /** Runs `task` when a place is free; places are given in the order asked. Rejects as `task` does. */
  run<Result>(task: () => Promise<Result>): Promise<Result>;
};

export function limiter(placesMax: number): Limiter {
  let free = placesMax;
  const waiting: (() => void)[] = [];
  const leave = (): void => {
    const next = waiting.shift();
    if (next === undefined) free += 1;
    else next();
  };
  return {
    run: async (task) => {
      if (free > 0) free -= 1;
      else await new Promise<void>((enter) => waiting.push(enter));
      try {
        return await task();
      } finally {
        leave();
      }
    },
  };
}

/** Calls `work` for every item, so many at once; after a failure no further one is begun, and the first is thrown. */
export async function eachAtOnce<Item>(
  items: readonly Item[],
  atOnceMax: number,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const waiting = items.values();
  let failed = false;
  const lane = async (): Promise<void> => {
    for (const item of waiting) {
      if (failed) return;
      await work(item).catch((cause: unknown) => {
        failed = true;
        throw cause;
      });
    }
  };
  const lanes = await Promise.allSettled(Array.from({ length: atOnceMax }, lane));
  const failure = lanes.find((result) => result.status === "rejected");
  if (failure !== undefined) throw failure.reason;
}
