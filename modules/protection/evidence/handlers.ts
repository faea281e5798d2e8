/** The routes of the evidence ledger. */

import { Readable } from "node:stream";
import { evidenceRecord } from "@mainstay/contract";
import { type HandlersOf, pageAfter, pageFrom, pageLimit } from "@mainstay/platform";
import type { ProtectionParts } from "../parts.ts";
import { type EvidenceScope, exportLines, sealHeader } from "./export.ts";
import type { ChainHead, EvidenceRecord } from "./record.ts";
import { headOf, listEvidence, readEvidence } from "./store.ts";

export function evidenceHandlers(parts: ProtectionParts): HandlersOf<"evidence"> {
  const { database } = parts.platform;
  return {
    list: ({ caller, query }) =>
      database.inScope(caller.scope, async (tx) => {
        const limit = pageLimit(query);
        const after = pageAfter(query)?.[0];
        const before = after === undefined ? null : Number(after);
        const records = await listEvidence(tx, query, before, limit + 1);
        return pageFrom(
          records,
          limit,
          (record) => evidenceRecord.parse(record),
          (record) => [String(record.sequence)],
        );
      }),
    export: async ({ query }) => {
      const { customerId } = query;
      const scope: EvidenceScope =
        customerId === undefined ? { kind: "ledger" } : { kind: "customer", customerId };
      const lines = await exportEvidence(parts, scope);
      return { body: Readable.from(lines), fileName: `evidence-${scope.kind}.jsonl` };
    },
    key: async () => ({ algorithm: "ed25519", publicKey: parts.signer.publicKey }),
  };
}

/** The lines of an export as it stands now; what is appended meanwhile is left out. */
export async function exportEvidence(
  parts: ProtectionParts,
  scope: EvidenceScope,
): Promise<AsyncIterable<string>> {
  const head = await parts.platform.database.asSystem("evidence head", (tx) => headOf(tx, scope));
  const exportedAt = parts.platform.clock.now().toISOString();
  const header = sealHeader({ scope, exportedAt, head }, parts.signer);
  return exportLines(header, recordsUpTo(parts, scope, head));
}

/** A transaction for each page: a slow reader holds no connection. Records never change, so that the pages agree. */
async function* recordsUpTo(
  parts: ProtectionParts,
  scope: EvidenceScope,
  head: ChainHead,
): AsyncGenerator<EvidenceRecord> {
  let sequence = 0;
  while (sequence < head.sequence) {
    const from = sequence;
    const page = await parts.platform.database.asSystem("export evidence", (tx) =>
      readEvidence(tx, scope, from, head.sequence),
    );
    if (page.length === 0) return;
    yield* page;
    const last = page.at(-1);
    sequence = (scope.kind === "ledger" ? last?.sequence : last?.customerSequence) ?? head.sequence;
  }
}
