/**
 * Who is there: the server proves its pinned identity and we prove the device key, both over this very TLS channel.
 *
 * The certificate of the channel is not looked at: both signatures cover the TLS exporter (RFC 5705), which a relay in
 * the middle cannot make the same on its two sides.
 */

import { randomBytes } from "node:crypto";
import {
  AGENT_PROTOCOL_VERSION,
  type AgentMessage,
  type AgentProof,
  type DeviceId,
  handshakeTranscript,
  type ServerMessage,
} from "@mainstay/contract";
import { agentErrors } from "../errors.ts";
import { type DeviceKey, isSignatureOf } from "../state/device-key.ts";
import type { Channel } from "./channel.ts";

export type Credentials = {
  readonly key: DeviceKey;
  /** The server's Ed25519 identity, base64url. */
  readonly identity: string;
  /** Left out when enrolling. */
  readonly deviceId?: DeviceId | undefined;
  readonly proof: Omit<AgentProof, "type" | "signature">;
};

export type Welcome = Extract<ServerMessage, { type: "welcome" }>;

/** Resolves with the server's welcome; else rejects with `agent.server-not-trusted`, `-refused` or `-nonsense`. */
export async function shakeHands(channel: Channel, credentials: Credentials, now: Date): Promise<Welcome> {
  const { key, identity, deviceId } = credentials;
  const agentNonce = randomBytes(32).toString("base64url");
  channel.send({
    type: "hello",
    protocolVersion: AGENT_PROTOCOL_VERSION,
    agentNonce,
    deviceKey: key.publicKey,
    ...(deviceId === undefined ? {} : { deviceId }),
    clock: now.toISOString(),
  });
  const challenge = await expectMessage(channel, "challenge");
  const { serverNonce } = challenge;
  const transcript = { agentNonce, serverNonce, deviceKey: key.publicKey, exporter: channel.exporter };
  if (!isSignatureOf(identity, handshakeTranscript("server", transcript), challenge.signature))
    throw agentErrors.error(
      "server-not-trusted",
      `Cannot trust what answers at ${channel.address}: it does not hold the server identity this device was enrolled with; ` +
        "if the server was set up anew, enrol the device anew, else look for someone in the middle",
      { values: { address: channel.address } },
    );
  const signature = key.sign(handshakeTranscript("device", transcript));
  channel.send({ ...credentials.proof, type: "proof", signature } satisfies AgentMessage);
  return await expectMessage(channel, "welcome");
}

async function expectMessage<Type extends ServerMessage["type"]>(
  channel: Channel,
  type: Type,
): Promise<Extract<ServerMessage, { type: Type }>> {
  const message = await channel.next();
  if (message.type === "refused") throw refusal(message);
  if (!isOfType(message, type))
    throw agentErrors.error(
      "server-nonsense",
      `Cannot greet the server at ${channel.address}: found "${message.type}", wanted "${type}"; bring both to one version`,
      { values: { found: message.type, wanted: type } },
    );
  return message;
}

function isOfType<Type extends ServerMessage["type"]>(
  message: ServerMessage,
  type: Type,
): message is Extract<ServerMessage, { type: Type }> {
  return message.type === type;
}

function refusal(message: Extract<ServerMessage, { type: "refused" }>): Error {
  const { code, final } = message;
  const way = final ? "ask the provider for a new enrolment token" : "the agent tries again later";
  return agentErrors.error("server-refused", `The server refuses this device: ${message.message}; ${way}`, {
    values: { code, final },
  });
}
