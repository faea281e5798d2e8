/** Chunk plans against a byte-by-byte model. */

import { appendExtent, type Extent } from "@mainstay/nbd";
import { layoutWith } from "@mainstay/vault";
import { testSeed } from "@mainstay/vault/testing";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { planChunks } from "./chunk-plan.ts";

const CHUNK = 8;
const RUN_BYTES_MAX = 3 * CHUNK;

/** Per byte of a disk: unchanged, data or zero. */
const disks = fc.array(
  fc.record({ kind: fc.constantFrom("none", "data", "zero"), length: fc.integer({ min: 1, max: 40 }) }),
  { maxLength: 20 },
);

test("reads every chunk that data touches, calls zero only what is zero throughout, and leaves the others alone", () => {
  fc.assert(
    fc.property(disks, fc.boolean(), (spans, splits) => {
      const extents: Extent[] = [];
      const bytes: string[] = [];
      for (const { kind, length } of spans) {
        const extent = { offset: bytes.length, length, kind } as const;
        if (kind === "data" || kind === "zero") {
          if (splits) extents.push({ ...extent, kind });
          else appendExtent(extents, { ...extent, kind });
        }
        for (let count = 0; count < length; count += 1) bytes.push(kind);
      }
      const runs = planChunks(extents, layoutWith(bytes.length, CHUNK), RUN_BYTES_MAX);
      let next = 0;
      const planned = new Map<number, string>();
      for (const run of runs) {
        expect(run.firstChunk).toBeGreaterThanOrEqual(next);
        expect(run.chunkCount).toBeGreaterThan(0);
        if (run.kind === "data") expect(run.chunkCount * CHUNK).toBeLessThanOrEqual(RUN_BYTES_MAX);
        next = run.firstChunk + run.chunkCount;
        for (let chunk = run.firstChunk; chunk < next; chunk += 1) planned.set(chunk, run.kind);
      }
      expect(next).toBeLessThanOrEqual(Math.ceil(bytes.length / CHUNK));
      for (let chunk = 0; chunk * CHUNK < bytes.length; chunk += 1) {
        const kinds = new Set(bytes.slice(chunk * CHUNK, (chunk + 1) * CHUNK));
        if (kinds.has("data")) expect(planned.get(chunk)).toBe("data");
        else if (kinds.has("zero") && kinds.size > 1) expect(planned.get(chunk)).toBe("data");
        else if (kinds.has("zero")) expect(["zero", "data"]).toContain(planned.get(chunk));
        else expect(planned.get(chunk)).toBeUndefined();
      }
    }),
    { seed: testSeed(), numRuns: 400 },
  );
});

test("a chunk inside one run of zeros is not read, the short one at the end neither", () => {
  const runs = planChunks(
    [{ offset: 0, length: 3 * CHUNK + 1, kind: "zero" }],
    layoutWith(3 * CHUNK + 1, CHUNK),
    RUN_BYTES_MAX,
  );
  expect(runs).toEqual([{ kind: "zero", firstChunk: 0, chunkCount: 4 }]);
});

test("changed blocks with unchanged ones between them stay apart", async () => {
  const extents: Extent[] = [];
  for (const offset of [0, 5 * CHUNK, 6 * CHUNK, 9 * CHUNK])
    appendExtent(extents, { offset, length: CHUNK, kind: "data" });
  expect(extents).toEqual([
    { offset: 0, length: CHUNK, kind: "data" },
    { offset: 5 * CHUNK, length: 2 * CHUNK, kind: "data" },
    { offset: 9 * CHUNK, length: CHUNK, kind: "data" },
  ]);
});
