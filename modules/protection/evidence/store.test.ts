/** The ledger in a real PostgreSQL: one chain, whoever appends at once, and nothing of what was rolled back. */

import { newUuid } from "@mainstay/kit";
import { allCustomers, type OpenedPlatform, scopeOf } from "@mainstay/platform";
import { testPlatform } from "@mainstay/platform/testing";
import { directoryDeclaration } from "@mainstay/directory";
import { customerId } from "@mainstay/contract";
import { afterAll, beforeAll, expect, test } from "vitest";
import { protectionDeclaration } from "../module.ts";
import { exportLines, type EvidenceScope, sealHeader } from "./export.ts";
import type { EvidenceContent } from "./record.ts";
import { newEvidenceKey } from "./signature.ts";
import { appendEvidence, headOf, listEvidence, readEvidence } from "./store.ts";
import { verifyEvidence } from "./verify.ts";

let platform: OpenedPlatform;
const { signer } = newEvidenceKey();
const north = customerId.parse(newUuid());
const south = customerId.parse(newUuid());

beforeAll(async () => {
  platform = await testPlatform({ sources: [directoryDeclaration, protectionDeclaration] });
});
afterAll(() => platform.close());

const content = (customer: string, index: number): EvidenceContent => ({
  at: new Date(Date.UTC(2026, 0, 1, 0, index)).toISOString(),
  kind: "restore-test",
  customerId: customer,
  deviceId: newUuid(),
  body: { index },
});

test("twenty who append at once make one chain for the ledger and one for each customer", async () => {
  await Promise.all(
    Array.from({ length: 20 }, (_value, index) =>
      platform.database.asSystem("append", (tx) =>
        appendEvidence(tx, content(index % 2 === 0 ? north : south, index), signer),
      ),
    ),
  );
  const scopes: readonly EvidenceScope[] = [{ kind: "ledger" }, { kind: "customer", customerId: north }];
  for (const scope of scopes) expect(await verdictOf(scope)).toMatchObject({ state: "intact", scope });
  expect(await verdictOf({ kind: "ledger" })).toMatchObject({ records: 20 });
  expect(await verdictOf({ kind: "customer", customerId: south })).toMatchObject({ records: 10 });
});

test("what was rolled back left no gap", async () => {
  const failed = platform.database.asSystem("append and fail", async (tx) => {
    await appendEvidence(tx, content(north, 100), signer);
    throw new Error("the outcome could not be stored");
  });
  await expect(failed).rejects.toThrow("the outcome");
  const record = await platform.database.asSystem("append", (tx) =>
    appendEvidence(tx, content(north, 101), signer),
  );
  expect(record.sequence).toBe(21);
  expect(await verdictOf({ kind: "ledger" })).toMatchObject({ state: "intact", records: 21 });
});

test("a customer's scope lists that customer's records only", async () => {
  const seen = await platform.database.inScope(scopeOf(south), (tx) => listEvidence(tx, {}, null, 100));
  expect(new Set(seen.map((record) => record.customerId))).toEqual(new Set([south]));
  expect(await platform.database.inScope(allCustomers, (tx) => listEvidence(tx, {}, 5, 2))).toMatchObject([
    { sequence: 4 },
    { sequence: 3 },
  ]);
});

test("records can be neither changed nor deleted, by the application itself", async () => {
  for (const sql of ["update protection.evidence set line = 'x'", "delete from protection.evidence"])
    await expect(platform.database.asSystem("tamper", (tx) => tx.query(sql))).rejects.toThrow(
      /denied|never changed/,
    );
});

async function verdictOf(scope: EvidenceScope) {
  return await platform.database.asSystem("export", async (tx) => {
    const head = await headOf(tx, scope);
    const header = sealHeader({ scope, exportedAt: "2026-02-01T00:00:00.000Z", head }, signer);
    const records = await readEvidence(tx, scope, 0, head.sequence);
    const lines: string[] = [];
    for await (const line of exportLines(header, records)) lines.push(line.slice(0, -1));
    return await verifyEvidence(lines, { publicKey: signer.publicKey });
  });
}
