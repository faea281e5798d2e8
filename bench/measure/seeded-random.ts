/** Random numbers that are the same in every run: both sides must see the same data, and the next run too. */

export type Random = {
  /** A whole number in `[0, below)`. */
  below(limit: number): number;
};

/** Marsaglia's xorshift with 32 bits (Journal of Statistical Software 8, 2003). */
export function seededRandom(seed: number): Random {
  let state = seed | 0 || 1;
  return {
    below: (limit) => {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      return Math.floor(((state >>> 0) / 2 ** 32) * limit);
    },
  };
}
