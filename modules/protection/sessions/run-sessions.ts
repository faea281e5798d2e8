/** Starting, following and stopping recovery sessions, here and off-site. */

import type { RecoverySession, RecoverySessionId, VaultId } from "@mainstay/contract";
import { ApiError, type MachineSettings, recoverySessionId } from "@mainstay/contract";
import { must, newUuid } from "@mainstay/kit";
import type { UserCaller } from "@mainstay/platform";
import { appendAudit } from "@mainstay/platform";
import { announce } from "../announce.ts";
import { type HostedMachine, isOpen, type MachineHost } from "../machines/machine-host.ts";
import { peerClient, unreachable } from "../offsite/peer-client.ts";
import type { ProtectionParts } from "../parts.ts";
import { protectionOf } from "../plans/device-protection-handlers.ts";
import { type PeerAddress, readPeerAddress } from "../vaults/vault-store.ts";
import { placePoint, type PointPlace } from "./point-place.ts";
import {
  insertSession,
  listOpenSessions,
  readSession,
  type SessionChange,
  updateSession,
} from "./session-store.ts";

/** The owner of this server's own sessions in its machine host. */
export const LOCAL_OWNER = "local";

/** Between two looks at a session that runs off-site. */
const FOLLOW_MS = 1000;

export type StartSession = {
  readonly restorePointId: string;
  readonly vaultId: VaultId;
  readonly machine?: Partial<MachineSettings> | undefined;
  readonly forwardPorts: readonly number[];
};

export type Sessions = {
  start(caller: UserCaller, request: StartSession): Promise<RecoverySession>;
  stop(session: RecoverySession): Promise<void>;
  /** Follows the sessions that run off-site; closes those that ended with a former process. */
  resume(): Promise<void>;
  /** Where the session runs, if it is off-site. */
  peerOf(session: RecoverySession): Promise<PeerAddress | undefined>;
};

export function createSessions(parts: ProtectionParts, host: MachineHost): Sessions {
  const note = (id: string, change: SessionChange): void => {
    noteChange(parts, id, change).catch((cause: unknown) =>
      parts.platform.log(`session ${id} could not be noted: ${String(cause)}`),
    );
  };
  const peerOf = ({ vaultId }: Pick<RecoverySession, "vaultId">) =>
    parts.platform.database.asSystem("find peer", (tx) =>
      readPeerAddress(tx, parts.platform.keys.wrapper, vaultId),
    );
  const follow = (peer: PeerAddress, id: RecoverySessionId): void => {
    void followOffsite(parts, peer, id, note);
  };
  return {
    peerOf,
    start: async (caller, request) => {
      const place = await placePoint(parts, caller.scope, request.restorePointId, request.vaultId);
      const { session, machine } = await noteStart(parts, caller, place, request);
      if (place.kind === "local") startHere(host, place, session.id, machine, request, note);
      else {
        await startThere(place, session.id, machine, request).catch((cause: unknown) => {
          note(session.id, failedChange(session, cause));
          throw cause;
        });
        follow(place.peer, session.id);
      }
      return session;
    },
    stop: async (session) => {
      const peer = await peerOf(session);
      if (peer === undefined) await host.stop(LOCAL_OWNER, session.id);
      else {
        const params = { recoverySessionId: session.id };
        const view = await peerClient(peer)
          .peerApi.stopRecoverySession({ params })
          .catch((cause: unknown) => {
            throw cause instanceof ApiError && cause.status === 409 ? cause : unreachable(peer.name, cause);
          });
        await noteChange(parts, session.id, view);
      }
    },
    resume: async () => {
      const open = await parts.platform.database.asSystem("open sessions", (tx) => listOpenSessions(tx));
      for (const session of open) {
        const peer = await peerOf(session);
        if (peer === undefined) note(session.id, endedWithServer(session, parts.platform.clock.now()));
        else follow(peer, session.id);
      }
    },
  };
}

async function noteStart(
  parts: ProtectionParts,
  caller: UserCaller,
  place: PointPlace,
  request: StartSession,
) {
  const { database, clock } = parts.platform;
  return await database.inScope(caller.scope, async (tx) => {
    const { point, vaultId } = place;
    const protection = await protectionOf(parts, tx, point.deviceId);
    const device = await parts.directory.readDevice(tx, point.deviceId);
    const id = recoverySessionId.parse(newUuid(clock.now()));
    await insertSession(tx, { id, point, vaultId, startedBy: caller.user.name }, clock.now());
    await appendAudit(tx, {
      actor: caller.actor,
      action: "recovery-session.start",
      customerId: point.customerId,
      subject: { kind: "device", id: device.id, name: device.name },
      after: { recoverySessionId: id, restorePointId: point.id, vaultId },
    });
    await announceSession(parts, tx, point, id);
    const session = must(await readSession(tx, id), "the session was just made");
    return { session, machine: { ...protection.machine, ...request.machine } };
  });
}

function startHere(
  host: MachineHost,
  place: Extract<PointPlace, { kind: "local" }>,
  id: RecoverySessionId,
  machine: MachineSettings,
  request: StartSession,
  note: (id: string, change: SessionChange) => void,
): void {
  const hosted = {
    id,
    owner: LOCAL_OWNER,
    repositoryId: place.repository.id,
    repositoryFolder: place.folder,
    repositoryPassword: place.repository.password,
    restorePointId: place.point.id,
    machine,
    forwardPorts: request.forwardPorts,
  };
  host.start(hosted, (view: HostedMachine) => note(id, view));
}

async function startThere(
  place: Extract<PointPlace, { kind: "offsite" }>,
  id: RecoverySessionId,
  machine: MachineSettings,
  request: StartSession,
): Promise<void> {
  try {
    await peerClient(place.peer).peerApi.startRecoverySession({
      params: { recoverySessionId: id },
      body: {
        repositoryId: place.repository.id,
        restorePointId: place.point.id,
        machine,
        forwardPorts: [...request.forwardPorts],
      },
    });
  } catch (cause) {
    if (cause instanceof ApiError && cause.status !== 0) throw cause;
    throw unreachable(place.peer.name, cause);
  }
}

/** Until it ended there, or this server stops. A peer that does not answer for a while is asked again. */
async function followOffsite(
  parts: ProtectionParts,
  peer: PeerAddress,
  id: RecoverySessionId,
  note: (id: string, change: SessionChange) => void,
): Promise<void> {
  const client = peerClient(peer);
  let seen = "";
  while (!parts.stopping.aborted) {
    const view = await client.peerApi
      .readRecoverySession({ params: { recoverySessionId: id } })
      .catch((cause: unknown) => (cause instanceof ApiError && cause.status === 404 ? null : undefined));
    if (view === null) {
      const session = await parts.platform.database.asSystem("read session", (tx) => readSession(tx, id));
      if (session !== undefined) note(id, endedWithServer(session, parts.platform.clock.now()));
      return;
    }
    if (view !== undefined) {
      const text = JSON.stringify(view);
      if (text !== seen) note(id, view);
      seen = text;
      if (!isOpen(view) && view.state !== "stopping") return;
    }
    await new Promise((resolve) => setTimeout(resolve, FOLLOW_MS));
  }
}

async function noteChange(parts: ProtectionParts, id: string, change: SessionChange): Promise<void> {
  await parts.platform.database.asSystem("note session", async (tx) => {
    await updateSession(tx, id, change);
    const session = await readSession(tx, id);
    if (session !== undefined) await announceSession(parts, tx, session, id);
  });
}

function endedWithServer(session: RecoverySession, now: Date): SessionChange {
  const error = { code: "server.interrupted", message: "The server that ran the machine was restarted" };
  return { ...session, state: "failed", screen: "unavailable", stoppedAt: now.toISOString(), error };
}

function failedChange(session: RecoverySession, cause: unknown): SessionChange {
  const error = {
    code: cause instanceof ApiError ? cause.code : "protection.vault-unreachable",
    message: cause instanceof Error ? cause.message : String(cause),
  };
  return { ...session, state: "failed", screen: "unavailable", stoppedAt: session.startedAt, error };
}

type Tx = Parameters<typeof readSession>[0];

async function announceSession(
  parts: ProtectionParts,
  tx: Tx,
  owner: Pick<RecoverySession, "customerId" | "deviceId">,
  id: string,
): Promise<void> {
  const { customerId, deviceId } = owner;
  await announce(parts, tx, "recovery-session.changed", { customerId, deviceId, subjectId: id });
}
