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
