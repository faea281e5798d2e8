/** The routes of recovery sessions. */

import type { RecoverySession } from "@mainstay/contract";
import { must } from "@mainstay/kit";
import { appendAudit, contractErrors, type HandlersOf, notFound, type Tx } from "@mainstay/platform";
import type { MachineHost } from "../machines/machine-host.ts";
import { peerClient, unreachable } from "../offsite/peer-client.ts";
import type { ProtectionParts } from "../parts.ts";
import { LOCAL_OWNER, type Sessions } from "./run-sessions.ts";
import { listSessions, readSession } from "./session-store.ts";

const errors = contractErrors("protection");

export function sessionHandlers(
  parts: ProtectionParts,
  host: MachineHost,
  sessions: Sessions,
): HandlersOf<"recoverySessions"> {
  const { database } = parts.platform;
  const read = (scope: Parameters<typeof database.inScope>[0], id: string) =>
    database.inScope(scope, (tx) => existingSession(tx, id));
  return {
    list: ({ caller, query }) =>
      database.inScope(caller.scope, async (tx) => {
        const page = await listSessions(tx, query, query);
        return { ...page, items: page.items.map((session) => withCounts(host, session)) };
      }),
    read: async ({ caller, params }) => withCounts(host, await read(caller.scope, params.recoverySessionId)),
    start: ({ caller, body }) => sessions.start(caller, body),
    stop: async ({ caller, params }) => {
      const session = await read(caller.scope, params.recoverySessionId);
      refuseEnded(session);
      await sessions.stop(session);
      return await database.inScope(caller.scope, async (tx) => {
        await appendAudit(tx, {
          actor: caller.actor,
          action: "recovery-session.stop",
          customerId: session.customerId,
          subject: { kind: "recovery-session", id: session.id, name: session.id },
        });
        return must(await readSession(tx, session.id), "the session was there just now");
      });
    },
    screenshot: async ({ caller, params }) => {
      const session = await read(caller.scope, params.recoverySessionId);
      refuseEnded(session);
      const peer = await sessions.peerOf(session);
      if (peer === undefined) return { body: await host.screenshot(LOCAL_OWNER, session.id) };
      const answer = await peerClient(peer)
        .peerApi.recoverySessionScreenshot({ params })
        .catch((cause: unknown) => {
          throw unreachable(peer.name, cause);
        });
      return { body: new Uint8Array(await answer.arrayBuffer()) };
    },
  };
}

export async function existingSession(tx: Tx, id: string): Promise<RecoverySession> {
  const session = await readSession(tx, id);
  if (session === undefined) throw notFound("recovery session", id);
  return session;
}

/** The counts of a machine here change with every write; they are read when asked for. */
function withCounts(host: MachineHost, session: RecoverySession): RecoverySession {
  const view = session.stoppedAt === null ? host.read(LOCAL_OWNER, session.id) : undefined;
  return view === undefined ? session : { ...session, counts: view.counts };
}

function refuseEnded(session: RecoverySession): void {
  if (session.stoppedAt === null) return;
  throw errors.error("not-running", "Cannot reach the machine: the session has ended; start another", {
    values: { state: session.state },
  });
}
