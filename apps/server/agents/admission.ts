/** Who a proven key is: a known device, or one that enrols with its token. */

import type { AgentHello, AgentProof, Device } from "@mainstay/contract";
import { MainstayError } from "@mainstay/kit";
import { countAttempt, type Platform } from "@mainstay/platform";
import { directoryErrors, type Directory } from "@mainstay/directory";
import { refusal, type Refusal } from "./handshake.ts";

export type AdmissionParts = { readonly platform: Platform; readonly directory: Directory };

/** Call only after the proof was checked. A known key needs no token; a token that comes with it is not used. */
export async function admit(
  parts: AdmissionParts,
  hello: AgentHello,
  proof: AgentProof,
  address: string,
): Promise<Device | Refusal> {
  const { database } = parts.platform;
  const known = await database.asSystem("find device by key", (tx) =>
    parts.directory.findDeviceByKey(tx, hello.deviceKey),
  );
  if (known !== undefined) return admitKnown(known);
  if (proof.enrol === undefined) {
    return refusal(
      "unknown-device",
      "Cannot let this device in: its key is unknown here; enrol it with a new enrolment token",
    );
  }
  return enrol(parts, hello, proof, address);
}

function admitKnown(device: Device): Device | Refusal {
  if (device.state !== "archived") return device;
  return refusal(
    "archived",
    `Cannot let "${device.name}" in: it was archived; bring it back by enrolling it with a new key`,
  );
}

async function enrol(
  { platform, directory }: AdmissionParts,
  hello: AgentHello,
  proof: AgentProof,
  address: string,
): Promise<Device | Refusal> {
  const { enrol: wanted } = proof;
  if (wanted === undefined) return refusal("token", "Cannot enrol: no token was sent");
  try {
    await countAttempt(platform.database, platform.clock, "enrolment", address);
    return await platform.database.asSystem("enrol device", (tx) =>
      directory.enrolDevice(tx, {
        ...wanted,
        deviceKey: hello.deviceKey,
        agentVersion: proof.agentVersion,
        facts: proof.facts,
      }),
    );
  } catch (cause) {
    if (directoryErrors.is(cause, "token-refused")) return refusal("token", cause.message);
    if (cause instanceof MainstayError && cause.code === "access.rate-limited")
      return refusal("busy", cause.message);
    throw cause;
  }
}
