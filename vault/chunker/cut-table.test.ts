/** Cut points that restic itself made: 3 polynomials, 8 inputs. One wrong cut would lose deduplication with restic. */

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parsePolynomial } from "./polynomial.ts";
import { createChunker } from "./rabin.ts";

type Chunk = readonly [length: number, sha256: string];
type Table = {
  readonly inputs: Readonly<Record<string, { readonly size: number; readonly sha256: string }>>;
  readonly cases: readonly {
    readonly polynomial: string;
    readonly input: string;
    readonly chunks: readonly Chunk[];
  }[];
};

const TABLE = JSON.parse(
  readFileSync(new URL("../testdata/chunker/restic-rabin.json", import.meta.url), "utf8"),
) as Table;

/** How the stream is handed over; a cut must not depend on it. */
const PIECE_BYTES = [16 * 1024 * 1024, 1_000_003, 4096];

const inputs = makeInputs();

test.each(Object.entries(TABLE.inputs))("the input %s is made as the table says", (name, expected) => {
  const input = inputOf(name);
  expect(input.length).toBe(expected.size);
  expect(sha256(input)).toBe(expected.sha256);
});

describe.each(PIECE_BYTES)("in pieces of %d bytes", (pieceBytes) => {
  test.each(TABLE.cases)(
    "$input is cut by $polynomial as restic cuts it",
    ({ polynomial, input, chunks }) => {
      const bytes = inputOf(input);
      const found = cutsOf(bytes, parsePolynomial(polynomial), pieceBytes);
      expect(found.map((chunk) => chunk.length)).toEqual(chunks.map(([length]) => length));
      expect(found.map(sha256)).toEqual(chunks.map(([, digest]) => digest));
    },
  );
});

test("the table has the cases it should", () => {
  expect(TABLE.cases).toHaveLength(24);
});

function cutsOf(bytes: Uint8Array, polynomial: bigint, pieceBytes: number): Uint8Array[] {
  const chunker = createChunker(polynomial);
  const chunks: Uint8Array[] = [];
  let start = 0;
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    for (const cut of chunker.push(bytes.subarray(at, at + pieceBytes))) {
      chunks.push(bytes.subarray(start, at + cut));
      start = at + cut;
    }
  }
  const last = chunker.finish();
  expect(last).toBe(bytes.length - start);
  if (last > 0) chunks.push(bytes.subarray(start));
  return chunks;
}

function inputOf(name: string): Buffer {
  const input = inputs.get(name);
  if (input === undefined) throw new Error(`the table names an input that is not made here: ${name}`);
  return input;
}

function makeInputs(): Map<string, Buffer> {
  const b = shake("mainstay-chunker-b", 5_000_001);
  const lines = Array.from(
    { length: 250_000 },
    (_, line) => `line ${String(line).padStart(7, "0")} of a text that packs well\n`,
  );
  return new Map([
    ["shake256-a-16MiB", shake("mainstay-chunker-a", 16_777_216)],
    ["shake256-b-5000001", b],
    ["zeros-3MiB+1", Buffer.alloc(3_145_729)],
    ["below-minimum", shake("mainstay-chunker-c", 524_287)],
    ["exact-minimum", shake("mainstay-chunker-c", 524_288)],
    ["counting-lines", Buffer.from(lines.join(""))],
    ["repeat-8MiB+5", Buffer.from(Uint8Array.from({ length: 8_388_613 }, (_, at) => at))],
    ["insert-one-byte", Buffer.concat([b.subarray(0, 1_000_000), Buffer.of(0x2a), b.subarray(1_000_000)])],
  ]);
}

function shake(seed: string, outputLength: number): Buffer {
  return createHash("shake256", { outputLength }).update(seed).digest();
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
