/** What an admitted device says. Device and customer are those of the proven key, never of a message. */

import type { AgentMessage, AgentRecord } from "@mainstay/contract";
import { scopeOf, type AgentDevice } from "@mainstay/platform";
import { storeRecord } from "./outbox.ts";
import { send, type Session } from "./session.ts";
import { removeWork } from "./work-queue.ts";

/** How often a heartbeat is worth a write. */
const SIGHTING_STEP_MS = 60_000;

export type DeviceMessage = Exclude<AgentMessage, { readonly type: "hello" | "proof" }>;

export async function takeFromDevice(
  session: Session,
  device: AgentDevice,
  message: DeviceMessage,
): Promise<void> {
  const { platform, hooks } = session.parts;
  switch (message.type) {
    case "record":
      return takeRecord(session, device, message);
    case "progress":
      if (session.sentState === "active") for (const hook of hooks) hook.progress?.(device, message);
      return;
    case "heartbeat":
      return takeHeartbeat(session, device, Date.parse(message.clock));
    case "work-received":
      return platform.database.inScope(scopeOf(device.customerId), (tx) =>
        removeWork(tx, device, message.workId),
      );
  }
}

/** Acknowledged after commit and never before. */
async function takeRecord(session: Session, device: AgentDevice, record: AgentRecord): Promise<void> {
  const { platform, directory, hooks } = session.parts;
  // A device that waits for approval may show itself and nothing more.
  const taken = session.sentState === "active" ? hooks : [];
  const outcome = await platform.database.inScope(scopeOf(device.customerId), async (tx) => {
    const stored = await storeRecord(tx, device, record, taken);
    if (stored.state === "stored" && record.kind === "facts") {
      const { facts, agentVersion } = record.body;
      await directory.recordSighting(tx, device.deviceId, {
        at: platform.clock.now(),
        connected: true,
        version: agentVersion,
        facts,
      });
    }
    return stored;
  });
  if (outcome.missed > 0) {
    platform.log(
      `agent of "${device.name}": ${outcome.missed} records before number ${record.sequence} never came`,
    );
  }
  send(session, { type: "ack", sequence: record.sequence });
}

async function takeHeartbeat(session: Session, device: AgentDevice, deviceClockMs: number): Promise<void> {
  const { platform, directory } = session.parts;
  const nowMs = platform.clock.monotonicMs();
  if (nowMs - session.lastSightingMs < SIGHTING_STEP_MS) return;
  session.lastSightingMs = nowMs;
  const at = platform.clock.now();
  await platform.database.inScope(scopeOf(device.customerId), (tx) =>
    directory.recordSighting(tx, device.deviceId, {
      at,
      connected: true,
      clockOffsetMs: deviceClockMs - at.getTime(),
    }),
  );
}
