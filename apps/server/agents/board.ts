/** Which agents are connected: one connection per device, the newest; and the link by which modules reach them. */

import type { DeviceId } from "@mainstay/contract";
import { AGENT_HEARTBEAT_MS } from "@mainstay/contract";
import { appendAudit, scopeOf, serverActor, type AgentLink, type Platform } from "@mainstay/platform";
import type { Directory } from "@mainstay/directory";
import type { AgentConnection, ConnectionBoard } from "./connection.ts";
import { addWork } from "./work-queue.ts";

/** An older connection that was heard within this time was alive: two agents with one key, not one that reconnects. */
const ALIVE_MS = 2 * AGENT_HEARTBEAT_MS;

export type AgentBoard = ConnectionBoard & { readonly link: AgentLink };

export function createBoard(platform: Platform, directory: Directory): AgentBoard {
  const connections = new Map<DeviceId, AgentConnection>();
  return {
    claim: async (connection) => {
      const older = connections.get(connection.device.deviceId);
      connections.set(connection.device.deviceId, connection);
      if (older === undefined) return;
      older.supersede();
      if (platform.clock.monotonicMs() - older.lastHeardMs() < ALIVE_MS)
        await warnOfTwins(platform, older, connection);
    },
    release: async (connection) => {
      const { deviceId, customerId } = connection.device;
      if (connections.get(deviceId) !== connection) return;
      connections.delete(deviceId);
      await platform.database.inScope(scopeOf(customerId), (tx) =>
        directory.recordSighting(tx, deviceId, { at: platform.clock.now(), connected: false }),
      );
    },
    link: linkOf(platform, connections),
  };
}

async function warnOfTwins(
  platform: Platform,
  older: AgentConnection,
  newer: AgentConnection,
): Promise<void> {
  const { deviceId, customerId, name } = newer.device;
  platform.log(
    `agent of "${name}": a second one with the same key came from ${newer.address}; the one at ${older.address} was ended`,
  );
  await platform.database.inScope(scopeOf(customerId), (tx) =>
    appendAudit(tx, {
      actor: serverActor,
      action: "agent.superseded",
      customerId,
      subject: { kind: "device", id: deviceId, name },
      before: { address: older.address },
      after: { address: newer.address },
    }),
  );
}

function linkOf(platform: Platform, connections: ReadonlyMap<DeviceId, AgentConnection>): AgentLink {
  return {
    isConnected: (deviceId) => connections.has(deviceId),
    refresh: (tx, deviceId) => tx.afterCommit(() => connections.get(deviceId)?.refresh()),
    queueWork: async (tx, device, work) => {
      await addWork(tx, device, work, platform.clock.now());
      tx.afterCommit(() => connections.get(device.deviceId)?.refresh());
    },
  };
}
