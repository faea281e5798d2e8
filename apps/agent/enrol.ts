/** Makes this machine a device of the server that a token names. */

import { decodeEnrolmentTicket, type DeviceId, type DeviceKind } from "@mainstay/contract";
import type { Clock } from "@mainstay/kit";
import { openChannel } from "./connection/channel.ts";
import { shakeHands } from "./connection/handshake.ts";
import { agentErrors } from "./errors.ts";
import { readFacts } from "./facts/facts.ts";
import { lockFolder, openFolder } from "./state/folder.ts";

export type EnrolOptions = {
  /** As the console shows it: `mst1.…`. */
  readonly token: string;
  readonly dataFolder: string;
  readonly name: string;
  readonly kind: DeviceKind;
  readonly version: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
};

export type Enrolled = {
  readonly deviceId: DeviceId;
  readonly address: string;
  /** `pending`: a technician has to approve it first. */
  readonly state: "pending" | "active";
};

/**
 * Makes the device key if there is none and proves it to the server. May be called again after a failure: the key stays
 * the same, and the server knows a device by it.
 */
export async function enrol(options: EnrolOptions): Promise<Enrolled> {
  const { dataFolder, version, name, kind, clock, signal } = options;
  const ticket = decodeEnrolmentTicket(options.token);
  if (ticket === undefined)
    throw agentErrors.error(
      "token-invalid",
      'Cannot read the enrolment token: wanted the whole text that begins with "mst1."; copy it again from the console',
    );
  const folder = await openFolder(dataFolder);
  await using resources = new AsyncDisposableStack();
  resources.use(await lockFolder(dataFolder));
  const before = await folder.enrolment.read();
  if (before !== undefined)
    throw agentErrors.error(
      "already-enrolled",
      `Cannot enrol: "${dataFolder}" holds the device "${before.name}" of ${before.address} already; choose another folder`,
      { values: { deviceId: before.deviceId, address: before.address } },
    );
  const channel = await openChannel(ticket.address, signal);
  try {
    const enrolment = { tokenId: ticket.tokenId, secret: ticket.secret, name, kind };
    const proof = { agentVersion: version, facts: await readFacts(), enrol: enrolment };
    const { identity, address } = ticket;
    const welcome = await shakeHands(channel, { key: folder.key, identity, proof }, clock.now());
    await folder.enrolment.write({ deviceId: welcome.deviceId, name, address, identity });
    return { deviceId: welcome.deviceId, address, state: welcome.state };
  } finally {
    channel.close();
  }
}
