/** From the first message to the welcome. */

import type { AgentHello, AgentProof, Device } from "@mainstay/contract";
import { scopeOf, type AgentDevice } from "@mainstay/platform";
import { admit } from "./admission.ts";
import { challengeFor, isProven, refusal } from "./handshake.ts";
import { readAcknowledged } from "./outbox.ts";
import { pushWanted } from "./push.ts";
import { refuse, send, type Phase, type Session } from "./session.ts";

export function greet(session: Session, hello: AgentHello): void {
  const { clock, identity } = session.parts.platform;
  const challenge = challengeFor(hello, session.exporter, identity.key);
  if ("code" in challenge) return refuse(session, challenge);
  session.clockOffsetMs = Date.parse(hello.clock) - clock.now().getTime();
  session.phase = { kind: "challenged", hello, challenge };
  send(session, challenge.message);
}

type Challenged = Extract<Phase, { readonly kind: "challenged" }>;

/** `claim` makes this connection the one of its device. */
export async function checkProof(
  session: Session,
  { hello, challenge }: Challenged,
  proof: AgentProof,
  claim: (device: AgentDevice) => Promise<void>,
): Promise<void> {
  if (!isProven(proof, challenge.transcript)) {
    return refuse(
      session,
      refusal("identity", "Cannot let this device in: its proof does not fit its key and this connection"),
    );
  }
  const admitted = await admit(session.parts, hello, proof, session.address);
  if ("code" in admitted) return refuse(session, admitted);
  const device: AgentDevice = { deviceId: admitted.id, customerId: admitted.customerId, name: admitted.name };
  await claim(device);
  await welcome(session, admitted, device, proof);
}

async function welcome(
  session: Session,
  found: Device,
  device: AgentDevice,
  proof: AgentProof,
): Promise<void> {
  const { platform, directory } = session.parts;
  const at = platform.clock.now();
  const acknowledged = await platform.database.inScope(scopeOf(device.customerId), async (tx) => {
    await directory.recordSighting(tx, device.deviceId, {
      at,
      connected: true,
      version: proof.agentVersion,
      facts: proof.facts,
      clockOffsetMs: session.clockOffsetMs,
    });
    return readAcknowledged(tx, device);
  });
  session.phase = { kind: "admitted", device };
  session.sentState = found.state === "active" ? "active" : "pending";
  send(session, {
    type: "welcome",
    deviceId: device.deviceId,
    state: session.sentState,
    acknowledged,
    clock: at.toISOString(),
  });
  await pushWanted(session, device);
}
