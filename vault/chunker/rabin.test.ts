import * as fc from "fast-check";
import { expect, test } from "vitest";
import { createChunker, type Chunker, type ChunkSizes } from "./rabin.ts";

const POLYNOMIAL = 0x249971770ab0ffn;
const SMALL: ChunkSizes = { minBytes: 64, maxBytes: 1000, averageBits: 6 };

test("cuts where the definition says, however the stream is handed over", () => {
  const stream = fc.uint8Array({ maxLength: 4000, size: "max" });
  const pieces = fc.array(fc.integer({ min: 0, max: 700 }), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(stream, pieces, (bytes, lengths) => {
      expect(cutsInPieces(bytes, lengths)).toEqual(cutsByDefinition(bytes));
    }),
    { numRuns: 50 },
  );
});

test("after finish it begins a new stream", () => {
  const chunker = createChunker(POLYNOMIAL, SMALL);
  const bytes = Uint8Array.from({ length: 3000 }, (_, at) => (at * at) >> 3);
  const first = [...chunker.push(bytes), chunker.finish()];
  expect([...chunker.push(bytes), chunker.finish()]).toEqual(first);
});

test("two chunkers with different polynomials do not disturb each other", () => {
  const bytes = Uint8Array.from({ length: 3000 }, (_, at) => (at * at) >> 3);
  const alone = (polynomial: bigint): number[] => createChunker(polynomial, SMALL).push(bytes);
  const [left, right] = [createChunker(POLYNOMIAL, SMALL), createChunker(0x2cdb74caf20ccdn, SMALL)];
  const found: [number[], number[]] = [[], []];
  for (let at = 0; at < bytes.length; at += 500) {
    const piece = bytes.subarray(at, at + 500);
    found[0].push(...left.push(piece).map((cut) => at + cut));
    found[1].push(...right.push(piece).map((cut) => at + cut));
  }
  expect(found).toEqual([alone(POLYNOMIAL), alone(0x2cdb74caf20ccdn)]);
});

function cutsInPieces(bytes: Uint8Array, lengths: readonly number[]): number[] {
  const chunker: Chunker = createChunker(POLYNOMIAL, SMALL);
  const cuts: number[] = [];
  let at = 0;
  for (const length of [...lengths, bytes.length]) {
    const piece = bytes.subarray(at, at + length);
    cuts.push(...chunker.push(piece).map((cut) => at + cut));
    at += piece.length;
  }
  expect(chunker.finish()).toBe(bytes.length - (cuts.at(-1) ?? 0));
  return cuts;
}

/** The slow way: the remainder of each window, by long division. */
function cutsByDefinition(bytes: Uint8Array): number[] {
  const cuts: number[] = [];
  let start = 0;
  for (let end = 1; end <= bytes.length; end += 1) {
    const length = end - start;
    if (length < SMALL.minBytes) continue;
    const isCut = (fingerprint(bytes.subarray(end - 64, end)) & 63n) === 0n;
    if (!isCut && length < SMALL.maxBytes) continue;
    cuts.push(end);
    start = end;
  }
  return cuts;
}

function fingerprint(window: Uint8Array): bigint {
  let value = 0n;
  for (const byte of window) {
    value = (value << 8n) | BigInt(byte);
    for (let bit = 60n; bit >= 53n; bit -= 1n) {
      if ((value >> bit) & 1n) value ^= POLYNOMIAL << (bit - 53n);
    }
  }
  return value;
}
