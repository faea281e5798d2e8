/** One writer at a time for each block: overlapping ranges wait for each other in the order they came. */

type Held = { readonly first: number; readonly last: number; readonly released: Promise<void> };

export type RangeLock = {
  /** Runs `task` when nobody who asked before holds any block from `first` to `last`. Rejects as `task` does. */
  run<Result>(first: number, last: number, task: () => Promise<Result>): Promise<Result>;
};

/** Few ranges are held at once (the NBD server bounds them), so a plain list is quickest. */
export function rangeLock(): RangeLock {
  const held = new Set<Held>();
  return {
    run: async (first, last, task) => {
      const before = [...held].filter((other) => other.first <= last && other.last >= first);
      const { promise: released, resolve: release } = Promise.withResolvers<void>();
      const mine: Held = { first, last, released };
      held.add(mine);
      try {
        // Those who came later wait for this one, so the waiting has no circles.
        if (before.length > 0) await Promise.all(before.map((other) => other.released));
        return await task();
      } finally {
        held.delete(mine);
        release();
      }
    },
  };
}
