/** The two texts that one Mainstay hands over by copy and paste: an enrolment token (`mst1.`) and a peer invitation (`msp1.`). */

import { z } from "zod";
import { enrolmentTokenId, peerId } from "./ids.ts";
import { key32 } from "./values.ts";

const TEXT_LENGTH_MAX = 2000;

export const enrolmentTicket = z.object({
  /** `https://host:port` of the server. */
  address: z.url().max(500),
  tokenId: enrolmentTokenId,
  secret: z.string().min(20).max(100),
  /** The server's Ed25519 identity key, which the agent pins. */
  identity: key32,
});
export type EnrolmentTicket = z.output<typeof enrolmentTicket>;

export const peerTicket = z.object({
  address: z.url().max(500),
  peerId,
  secret: z.string().min(20).max(100),
  identity: key32,
  /** SHA-256 of the TLS certificate (DER, hex), which the other side pins for HTTPS. */
  certificateSha256: z.string().regex(/^[0-9a-f]{64}$/),
});
export type PeerTicket = z.output<typeof peerTicket>;

export function encodeEnrolmentTicket(ticket: EnrolmentTicket): string {
  return `mst1.${encode(ticket)}`;
}

/** `undefined` unless `text` is a whole enrolment token. */
export function decodeEnrolmentTicket(text: string): EnrolmentTicket | undefined {
  return decode("mst1.", text, enrolmentTicket);
}

export function encodePeerTicket(ticket: PeerTicket): string {
  return `msp1.${encode(ticket)}`;
}

/** `undefined` unless `text` is a whole peer invitation. */
export function decodePeerTicket(text: string): PeerTicket | undefined {
  return decode("msp1.", text, peerTicket);
}

// btoa and atob, not Buffer: the console's bundle has no Buffer. All fields are ASCII by their schemas or by URL encoding.
function encode(value: object): string {
  return btoa(JSON.stringify(value)).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

function decode<Schema extends z.ZodType>(
  prefix: string,
  text: string,
  schema: Schema,
): z.output<Schema> | undefined {
  const trimmed = text.trim();
  if (!trimmed.startsWith(prefix) || trimmed.length > TEXT_LENGTH_MAX) return undefined;
  try {
    const json = atob(trimmed.slice(prefix.length).replaceAll("-", "+").replaceAll("_", "/"));
    return schema.safeParse(JSON.parse(json)).data;
  } catch {
    return undefined;
  }
}
