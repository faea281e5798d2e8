/** A bounded number of buffers in shared memory, used again and again: filled by one thread, read by the others. */

export type BufferRing = {
  /** Waits until one is free; the longest waiting is served first. */
  take(): Promise<SharedArrayBuffer>;
  give(memory: SharedArrayBuffer): void;
};

/** Makes no buffer before it is needed. */
export function createBufferRing(countMax: number, sizeBytes: number): BufferRing {
  const free: SharedArrayBuffer[] = [];
  const waiting: ((memory: SharedArrayBuffer) => void)[] = [];
  let made = 0;
  return {
    take: async () => {
      const memory = free.pop();
      if (memory !== undefined) return memory;
      if (made < countMax) {
        made += 1;
        return new SharedArrayBuffer(sizeBytes);
      }
      return new Promise((resolve) => waiting.push(resolve));
    },
    give: (memory) => {
      const next = waiting.shift();
      if (next === undefined) free.push(memory);
      else next(memory);
    },
  };
}
