/** What the server wants of a device: sent when it is new to the agent. */

import { scopeOf, type AgentDevice } from "@mainstay/platform";
import { desiredStateOf } from "./desired-state.ts";
import { refusal } from "./handshake.ts";
import { refuse, send, type Session } from "./session.ts";
import { waitingWork } from "./work-queue.ts";

/** State, desired state, work. Only an active device is told more than its state. */
export async function pushWanted(session: Session, device: AgentDevice): Promise<void> {
  const { platform, directory, hooks } = session.parts;
  const wanted = await platform.database.inScope(scopeOf(device.customerId), async (tx) => {
    const { state } = await directory.readDevice(tx, device.deviceId);
    if (state !== "active") return { state, desired: undefined, work: [] };
    const desired = await desiredStateOf(tx, device, hooks, platform.identity);
    return { state, desired, work: await waitingWork(tx, device, platform.clock.now()) };
  });
  if (wanted.state === "archived") {
    return refuse(session, refusal("archived", `Cannot go on with "${device.name}": it was archived`));
  }
  if (wanted.state !== session.sentState) send(session, { type: "state", state: wanted.state });
  session.sentState = wanted.state;
  if (wanted.desired !== undefined && wanted.desired.version !== session.sentVersion) {
    session.sentVersion = wanted.desired.version;
    send(session, { type: "desired-state", desired: wanted.desired });
  }
  // Sent again until `work-received` is here; the agent knows work that it holds by its id.
  for (const work of wanted.work) send(session, { type: "work", work });
}
