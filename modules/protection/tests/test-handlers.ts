/** The routes of restore tests. */

import { appendAudit, type HandlersOf, notFound } from "@mainstay/platform";
import type { ProtectionParts } from "../parts.ts";
import { queueTest } from "./run-tests.ts";
import { listTests, readScreenshot, readTest } from "./test-store.ts";

export function testHandlers(parts: ProtectionParts): HandlersOf<"restoreTests"> {
  const { database } = parts.platform;
  return {
    list: ({ caller, query }) => database.inScope(caller.scope, (tx) => listTests(tx, query, query)),
    read: ({ caller, params }) =>
      database.inScope(caller.scope, async (tx) => {
        const test = await readTest(tx, params.restoreTestId);
        if (test === undefined) throw notFound("restore test", params.restoreTestId);
        return test;
      }),
    start: ({ caller, body }) =>
      database.inScope(caller.scope, async (tx) => {
        const test = await queueTest(parts, tx, body);
        await appendAudit(tx, {
          actor: caller.actor,
          action: "restore-test.start",
          customerId: test.customerId,
          subject: { kind: "restore-test", id: test.id, name: test.restorePointId.slice(0, 8) },
        });
        return test;
      }),
    screenshot: ({ caller, params }) =>
      database.inScope(caller.scope, async (tx) => {
        const body = await readScreenshot(tx, params.restoreTestId);
        if (body === undefined) throw notFound("screenshot of restore test", params.restoreTestId);
        return { body };
      }),
  };
}
