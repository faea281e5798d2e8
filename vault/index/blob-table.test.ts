/** The blob table against a plain map. */

import { hash } from "node:crypto";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { ObjectId } from "../format/object-id.ts";
import type { BlobType } from "../format/pack-header.ts";
import { testSeed } from "../test-repository.ts";
import { BlobTable, type BlobPlace } from "./blob-table.ts";

const id = (text: string) => hash("sha256", text, "hex") as ObjectId;

const places = fc.array(
  fc.record({
    blob: fc.nat(40),
    pack: fc.nat(6),
    type: fc.constantFrom<BlobType>("data", "tree"),
    offset: fc.nat(3),
    length: fc.integer({ min: 32, max: 2 ** 32 - 1 }),
    rawLength: fc.oneof(fc.constant(0), fc.nat(2 ** 32 - 1)),
  }),
  { maxLength: 300 },
);

test("knows every place of every blob, each once, in the order they came", () => {
  fc.assert(
    fc.property(places, (list) => {
      const table = new BlobTable();
      const model = new Map<string, BlobPlace[]>();
      for (const { blob, pack, ...rest } of list) {
        const place = { ...rest, id: id(`blob ${blob}`), pack: id(`pack ${pack}`) };
        table.add(place.pack, place);
        const known = model.get(place.type + place.id) ?? [];
        model.set(place.type + place.id, known);
        if (!known.some((other) => other.pack === place.pack && other.offset === place.offset))
          known.push(place);
      }
      for (const [key, known] of model) {
        const [type, blob] = [key.slice(0, 4) as BlobType, key.slice(4) as ObjectId];
        expect(table.has(blob, type)).toBe(true);
        expect(table.places(blob, type)).toEqual(known);
        expect(table.get(blob, type)).toEqual(known[0]);
        const first = known[0];
        expect(table.plainLength(blob, type)).toBe(first?.rawLength || (first?.length ?? 0) - 32);
      }
      const total = [...model.values()].flat();
      expect(table.size).toBe(total.length);
      expect([...table.entries()]).toHaveLength(total.length);
      expect(new Set(table.packs)).toEqual(new Set(total.map(({ pack }) => pack)));
      expect(table.has(id("never"), "data")).toBe(false);
    }),
    { seed: testSeed(), numRuns: 60 },
  );
});

test("grows to a hundred thousand blobs and finds each", () => {
  const table = new BlobTable();
  const pack = id("pack");
  const ids = Array.from({ length: 100_000 }, (_, number) => id(String(number)));
  for (const [offset, blob] of ids.entries()) {
    table.add(pack, { id: blob, type: "data", offset, length: 100, rawLength: 0 });
  }
  expect(ids.every((blob, offset) => table.get(blob, "data")?.offset === offset)).toBe(true);
  expect(ids.some((blob) => table.has(blob, "tree"))).toBe(false);
});
