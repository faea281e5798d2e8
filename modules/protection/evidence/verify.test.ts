/** Every way in which an export can be tampered with is found, and its first broken record named. */

import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { canonicalJson } from "./canonical-json.ts";
import { type EvidenceScope, exportLines, sealHeader } from "./export.ts";
import { type ChainHead, EMPTY_CHAIN, type EvidenceRecord, recordLine, sealRecord } from "./record.ts";
import { evidenceSigner, type EvidenceSigner, newEvidenceKey } from "./signature.ts";
import { type EvidenceFault, verifyEvidence } from "./verify.ts";

const { signer, privateKey } = newEvidenceKey();
const stranger = newEvidenceKey().signer;

/** Ten records of two customers in turn. */
function ledger(by: EvidenceSigner = signer): readonly EvidenceRecord[] {
  let head = EMPTY_CHAIN;
  const customers = new Map<string, ChainHead>();
  return Array.from({ length: 10 }, (_value, index) => {
    const customerId = index % 2 === 0 ? "north" : "south";
    const customer = customers.get(customerId) ?? EMPTY_CHAIN;
    const record = sealRecord(contentOf(index, customerId), { ledger: head, customer }, by);
    head = { sequence: record.sequence, hash: record.hash };
    customers.set(customerId, { sequence: record.customerSequence, hash: record.hash });
    return record;
  });
}

function contentOf(index: number, customerId: string) {
  const at = new Date(Date.UTC(2026, 0, 1 + index)).toISOString();
  return {
    at,
    kind: "restore-test",
    customerId,
    deviceId: `device-${customerId}`,
    body: { passed: true, index },
  };
}

async function linesOf(
  records: readonly EvidenceRecord[],
  scope: EvidenceScope,
  by = signer,
): Promise<string[]> {
  const last = records.at(-1);
  const sequence = scope.kind === "ledger" ? last?.sequence : last?.customerSequence;
  const head = last === undefined || sequence === undefined ? EMPTY_CHAIN : { sequence, hash: last.hash };
  const header = sealHeader({ scope, exportedAt: "2026-02-01T00:00:00.000Z", head }, by);
  const lines = [];
  for await (const line of exportLines(header, records)) lines.push(line.slice(0, -1));
  return lines;
}

const whole = { kind: "ledger" } as const;
const south = { kind: "customer", customerId: "south" } as const;
const southern = (): readonly EvidenceRecord[] => ledger().filter((record) => record.customerId === "south");

test("an untouched export of the whole ledger is intact", async () => {
  const verdict = await verifyEvidence(await linesOf(ledger(), whole), { publicKey: signer.publicKey });
  expect(verdict).toMatchObject({ state: "intact", records: 10, scope: whole, publicKey: signer.publicKey });
});

test("an export of one customer's records alone is intact, though the others are not in it", async () => {
  expect(await verifyEvidence(await linesOf(southern(), south))).toMatchObject({
    state: "intact",
    records: 5,
  });
});

test("an empty ledger is intact", async () => {
  expect(await verifyEvidence(await linesOf([], whole))).toMatchObject({ state: "intact", records: 0 });
});

test("the same key from the same private half signs the same", () => {
  expect(evidenceSigner(privateKey).publicKey).toBe(signer.publicKey);
});

describe("the whole ledger, tampered with", () => {
  const cases: readonly (readonly [
    string,
    EvidenceFault,
    number | undefined,
    (lines: string[]) => string[],
  ])[] = [
    ["a value changed", "changed", 4, (lines) => lines.with(4, edited(lines[4], '"index":3', '"index":7'))],
    ["a hash changed", "changed", 4, (lines) => lines.with(4, edited(lines[4], '"hash":"', '"hash":"0', 1))],
    ["a record taken out", "missing", 4, (lines) => lines.toSpliced(4, 1)],
    ["three records taken out", "missing", 4, (lines) => lines.toSpliced(4, 3)],
    ["the first record taken out", "missing", 1, (lines) => lines.toSpliced(1, 1)],
    ["two records swapped", "reordered", 4, (lines) => lines.with(4, lines[5] ?? "").with(5, lines[4] ?? "")],
    ["a record moved to the end", "reordered", 4, (lines) => [...lines.toSpliced(4, 1), lines[4] ?? ""]],
    ["a record twice", "reordered", 4, (lines) => lines.toSpliced(4, 0, lines[4] ?? "")],
    ["the end cut off", "cut", 10, (lines) => lines.slice(0, -1)],
    ["everything but the header cut off", "cut", 1, (lines) => lines.slice(0, 1)],
    ["a line that is not JSON", "malformed", 4, (lines) => lines.with(4, "what")],
    ["a line with blanks", "malformed", 4, (lines) => lines.with(4, `${lines[4]} `)],
    ["a member twice", "malformed", 4, (lines) => lines.with(4, edited(lines[4], "{", '{"at":"x",'))],
    ["no header", "malformed", undefined, (lines) => lines.slice(1)],
    ["nothing", "malformed", undefined, () => []],
    [
      "a changed header",
      "changed",
      undefined,
      (lines) => lines.with(0, edited(lines[0], "2026-02-01", "2026-03-01")),
    ],
  ];
  test.each(cases)("%s: %s", async (_name, fault, sequence, tamper) => {
    const verdict = await verifyEvidence(tamper(await linesOf(ledger(), whole)));
    expect(verdict).toMatchObject({ state: "broken", fault, sequence });
  });

  test("a record signed anew by a stranger: wrong key", async () => {
    const forged = ledger(stranger)[3];
    const lines = (await linesOf(ledger(), whole)).with(4, forged === undefined ? "" : recordLine(forged));
    expect(await verifyEvidence(lines)).toMatchObject({ state: "broken", fault: "wrong-key", sequence: 4 });
  });

  test("a history rewritten by the holder of the key does not join the rest", async () => {
    const records = ledger();
    const [third, fourth] = [records[2], records[3]];
    if (third === undefined || fourth === undefined) throw new Error("ten records");
    const heads = {
      ledger: { sequence: 3, hash: third.hash },
      customer: { sequence: 1, hash: fourth.customerPreviousHash },
    };
    const rewritten = sealRecord({ ...contentOf(3, "south"), body: { passed: false } }, heads, signer);
    const lines = (await linesOf(records, whole)).with(4, recordLine(rewritten));
    expect(await verifyEvidence(lines)).toMatchObject({ state: "broken", fault: "unlinked", sequence: 5 });
  });
});

test("a whole export forged by a stranger is found with the key known from elsewhere", async () => {
  const lines = await linesOf(ledger(stranger), whole, stranger);
  expect(await verifyEvidence(lines)).toMatchObject({ state: "intact" });
  expect(await verifyEvidence(lines, { publicKey: signer.publicKey })).toMatchObject({
    fault: "wrong-key",
    line: 1,
  });
});

test("an older export is intact, but cut when a later head is known from elsewhere", async () => {
  const records = ledger();
  const last = records[9];
  if (last === undefined) throw new Error("ten records");
  const older = await linesOf(records.slice(0, 8), whole);
  expect(await verifyEvidence(older)).toMatchObject({ state: "intact", records: 8 });
  const verdict = await verifyEvidence(older, { expectedHead: { sequence: 10, hash: last.hash } });
  expect(verdict).toMatchObject({ state: "broken", fault: "cut", sequence: 9 });
});

test("a customer's export with a record taken out, or one of another customer put in, is broken", async () => {
  const lines = await linesOf(southern(), south);
  expect(await verifyEvidence(lines.toSpliced(2, 1))).toMatchObject({ fault: "missing", sequence: 2 });
  const northern = ledger()[2];
  const mixed = lines.with(2, northern === undefined ? "" : recordLine(northern));
  expect(await verifyEvidence(mixed)).toMatchObject({ state: "broken", fault: "unlinked" });
});

test("no single changed byte goes unnoticed", async () => {
  const text = (await linesOf(ledger().slice(0, 3), whole)).join("\n");
  await fc.assert(
    fc.asyncProperty(
      fc.nat(text.length - 1),
      fc.constantFrom("0", "1", "x", "}", " ", "\n"),
      async (at, character) => {
        if (text[at] === character) return;
        const changed = text.slice(0, at) + character + text.slice(at + 1);
        expect((await verifyEvidence(changed.split("\n"))).state).toBe("broken");
      },
    ),
    { numRuns: 300 },
  );
});

test("a line beyond any size of ours is not parsed", async () => {
  const lines = await linesOf(ledger(), whole);
  const bomb = canonicalJson({ at: "x".repeat(5 * 1024 * 1024) });
  expect(await verifyEvidence(lines.with(3, bomb))).toMatchObject({ fault: "malformed", line: 4 });
});

/** The line with its first `from` replaced; `drop` characters after it go, to keep lengths. */
function edited(line: string | undefined, from: string, to: string, drop = 0): string {
  const at = (line ?? "").indexOf(from);
  return (line ?? "").slice(0, at) + to + (line ?? "").slice(at + from.length + drop);
}
