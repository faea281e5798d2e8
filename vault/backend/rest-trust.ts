/** Which server a REST client believes: one with a certificate of known authorities, of a given one, or a pinned one. */

import { createHash, X509Certificate } from "node:crypto";
import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent, type AgentOptions } from "node:https";
import type { Duplex } from "node:stream";
import { connect, type ConnectionOptions } from "node:tls";
import { vaultErrors } from "../errors.ts";

export type RestTrust =
  /** The machine's authorities. */
  | { readonly kind: "system" }
  /** Only certificates signed by this authority, in PEM. */
  | { readonly kind: "authority"; readonly certificate: string }
  /** Exactly one certificate or key, whoever signed it and whatever name it bears; SHA-256 in hexadecimal. */
  | { readonly kind: "pinned"; readonly of: "certificate" | "public-key"; readonly sha256: string };

/** The connections of a client: kept alive, at most so many. */
export function createAgent(url: URL, trust: RestTrust, connectionsMax: number): HttpAgent | HttpsAgent {
  const options: AgentOptions = { keepAlive: true, maxSockets: connectionsMax, scheduling: "lifo" };
  if (url.protocol === "http:") return new HttpAgent(options);
  if (trust.kind === "authority") return new HttpsAgent({ ...options, ca: trust.certificate });
  return trust.kind === "pinned" ? new PinningAgent(options, trust) : new HttpsAgent(options);
}

type Pinned = Extract<RestTrust, { kind: "pinned" }>;
type Connected = (error: Error | null, socket: Duplex) => void;

/** Hands a connection over only when the pin fits, so that no credentials reach another server. */
class PinningAgent extends HttpsAgent {
  readonly #pin: Pinned;

  constructor(options: AgentOptions, pin: Pinned) {
    super(options);
    this.#pin = pin;
  }

  override createConnection(options: ConnectionOptions, connected: Connected): null {
    // The pin takes the place of the authorities: only after this check is the connection used.
    const socket = connect({ ...options, rejectUnauthorized: false });
    const onFailure = (cause: Error): void => connected(cause, socket);
    socket.once("error", onFailure);
    socket.once("secureConnect", () => {
      const found = fingerprint(socket.getPeerX509Certificate(), this.#pin.of);
      if (found !== this.#pin.sha256.replaceAll(":", "").toLowerCase()) {
        socket.destroy(pinMismatch(options, this.#pin, found));
        return;
      }
      socket.off("error", onFailure);
      connected(null, socket);
    });
    return null;
  }
}

function fingerprint(certificate: X509Certificate | undefined, of: Pinned["of"]): string {
  if (certificate === undefined) return "none";
  const bytes =
    of === "certificate" ? certificate.raw : certificate.publicKey.export({ type: "spki", format: "der" });
  return createHash("sha256").update(bytes).digest("hex");
}

function pinMismatch(options: ConnectionOptions, pin: Pinned, found: string): Error {
  return vaultErrors.error(
    "backend-refused",
    `Cannot trust ${options.host ?? "the server"}: found ${pin.of} ${found}, wanted ${pin.sha256}; ` +
      "look whether the server was replaced, then pin its new one",
    { values: { found, wanted: pin.sha256 } },
  );
}
