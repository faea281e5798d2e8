/** The server's side of the handshake: proves our identity, then checks the device's key over the same TLS connection. */

import { createPublicKey, randomBytes, verify } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { TLSSocket } from "node:tls";
import {
  AGENT_PROTOCOL_VERSION,
  EXPORTER_LABEL,
  EXPORTER_SIZE_BYTES,
  handshakeTranscript,
  type AgentHello,
  type AgentProof,
  type HandshakeTranscript,
  type ServerMessage,
} from "@mainstay/contract";
import { assert } from "@mainstay/kit";
import type { SigningKey } from "@mainstay/platform";

export type Refusal = Extract<ServerMessage, { readonly type: "refused" }>;
export type Challenge = { readonly transcript: HandshakeTranscript; readonly message: ServerMessage };

/** Keying material of this TLS connection (RFC 5705, RFC 8446 7.5): a relay in the middle has another on each side. */
export function exporterOf(request: IncomingMessage): Uint8Array {
  assert(request.socket instanceof TLSSocket, "agents connect over TLS: the server listens on nothing else");
  return request.socket.exportKeyingMaterial(EXPORTER_SIZE_BYTES, EXPORTER_LABEL, Buffer.alloc(0));
}

export function challengeFor(
  hello: AgentHello,
  exporter: Uint8Array,
  identity: SigningKey,
): Challenge | Refusal {
  if (hello.protocolVersion !== AGENT_PROTOCOL_VERSION) {
    const found = `found protocol ${hello.protocolVersion}, wanted ${AGENT_PROTOCOL_VERSION}`;
    return refusal(
      "protocol",
      `Cannot speak with this agent: ${found}; update ${hello.protocolVersion < AGENT_PROTOCOL_VERSION ? "the agent" : "the server"}`,
    );
  }
  const serverNonce = randomBytes(32).toString("base64url");
  const transcript = { agentNonce: hello.agentNonce, serverNonce, deviceKey: hello.deviceKey, exporter };
  const signature = identity.sign(handshakeTranscript("server", transcript));
  return { transcript, message: { type: "challenge", serverNonce, signature } };
}

/** Whether the proof was made with the device key that the hello named, on this connection. */
export function isProven(proof: AgentProof, transcript: HandshakeTranscript): boolean {
  try {
    const key = createPublicKey({
      key: { kty: "OKP", crv: "Ed25519", x: transcript.deviceKey },
      format: "jwk",
    });
    return verify(
      null,
      handshakeTranscript("device", transcript),
      key,
      Buffer.from(proof.signature, "base64url"),
    );
  } catch {
    // Not a point of the curve.
    return false;
  }
}

/** `final` codes: coming back with the same credentials cannot help. */
const FINAL: readonly Refusal["code"][] = ["protocol", "identity", "token", "unknown-device", "archived"];

export function refusal(code: Refusal["code"], message: string): Refusal {
  return { type: "refused", code, message, final: FINAL.includes(code) };
}
