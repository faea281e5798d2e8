/** One HTTP request of the REST client: paced, bounded, without redirects; its failures are the backend's. */

import { request as httpRequest, type Agent, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { MainstayError, messageOf } from "@mainstay/kit";
import { vaultErrors } from "../errors.ts";
import { sizeOf } from "./file-ref.ts";
import { PACED_BYTES, type Pacing } from "./limited.ts";
import type { RestCredentials } from "./rest-address.ts";

/** Silence of the server after which it counts as gone. */
const SILENCE_MS_MAX = 120_000;

/** More than any file of a repository; a server that sends more is broken or hostile. */
const BODY_BYTES_MAX = 4 * 1024 * 1024 * 1024 - 1;

/** How much of a server's own words a message repeats. */
const REASON_CHARS_MAX = 200;

export type RestRequest = {
  readonly method: "GET" | "HEAD" | "POST" | "DELETE";
  /** Below the repository's address. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: readonly Uint8Array[];
  readonly signal?: AbortSignal | undefined;
};

export type RestResponse = {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: Uint8Array;
};

export type RestTransport = (request: RestRequest) => Promise<RestResponse>;

export type TransportOptions = {
  readonly url: URL;
  readonly location: string;
  readonly agent: Agent;
  readonly credentials?: RestCredentials | undefined;
  readonly pacing: Pacing;
};

export function createTransport(options: TransportOptions): RestTransport {
  return async (request) => {
    request.signal?.throwIfAborted();
    try {
      return await send(options, request);
    } catch (cause) {
      if (cause instanceof MainstayError) throw cause;
      request.signal?.throwIfAborted();
      throw vaultErrors.error(
        "backend-unreachable",
        `Cannot ${request.method} ${request.path} at ${options.location}: ${messageOf(cause)}; ` +
          "look whether the server runs and the network is up, then try again",
        { cause, values: { location: options.location } },
      );
    }
  };
}

/** The failure that a status means which the request does not expect. */
export function statusFailure(location: string, action: string, response: RestResponse): MainstayError {
  const { status } = response;
  const reason = reasonOf(response.body);
  const details = { values: { location, status } };
  const told = `Cannot ${action} at ${location}: the server answers ${status}${reason}`;
  if (status === 507)
    return vaultErrors.error("backend-full", `${told}; free space there or raise the quota`, details);
  if (status === 401)
    return vaultErrors.error("backend-refused", `${told}; check user and password`, details);
  if (status === 403) {
    const message = `${told}; these credentials may not do that, as with an append-only repository`;
    return vaultErrors.error("backend-refused", message, details);
  }
  if (status >= 500 || status === 408 || status === 429) {
    return vaultErrors.error("backend-unreachable", `${told}; try again later`, details);
  }
  return vaultErrors.error(
    "backend-refused",
    `${told}; check that the address is a restic REST server`,
    details,
  );
}

function reasonOf(body: Uint8Array): string {
  const text = Buffer.from(body.subarray(0, REASON_CHARS_MAX)).toString("utf8");
  const words = text.replaceAll(/[^\p{L}\p{N}\p{P}\p{Zs}]+/gu, " ").trim();
  return words === "" ? "" : ` (${words})`;
}

async function send(options: TransportOptions, wanted: RestRequest): Promise<RestResponse> {
  const url = new URL(wanted.path, options.url);
  const outgoing = (url.protocol === "https:" ? httpsRequest : httpRequest)(url, {
    method: wanted.method,
    agent: options.agent,
    headers: headersOf(options, wanted),
    signal: wanted.signal,
  });
  outgoing.setTimeout(SILENCE_MS_MAX, () =>
    outgoing.destroy(new Error("no sign of the server for two minutes")),
  );
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.once("response", resolve);
    outgoing.once("error", reject);
  });
  const sent = pipeline(Readable.from(slices(wanted, options.pacing)), outgoing);
  // A server may answer, and close, before it has read everything: then the answer counts.
  sent.catch(() => {});
  const incoming = await answered;
  const body = await receive(incoming, wanted, options.pacing);
  if ((incoming.statusCode ?? 0) < 300) await sent;
  return { status: incoming.statusCode ?? 0, headers: incoming.headers, body };
}

function headersOf(options: TransportOptions, wanted: RestRequest): Record<string, string> {
  const headers: Record<string, string> = { ...wanted.headers };
  if (wanted.method === "POST") {
    headers["content-length"] = String(sizeOf(wanted.body ?? []));
    headers["content-type"] = "application/octet-stream";
  }
  if (options.credentials !== undefined) {
    const { user, password } = options.credentials;
    headers["authorization"] = `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
  }
  return headers;
}

async function* slices(wanted: RestRequest, { sent }: Pacing): AsyncIterable<Uint8Array> {
  for (const part of wanted.body ?? []) {
    // Unpaced, a part goes out as it is; paced, in steps small enough for an even rate.
    const step = sent === undefined ? Math.max(1, part.length) : PACED_BYTES;
    for (let at = 0; at < part.length; at += step) {
      const slice = part.subarray(at, at + step);
      await sent?.take(slice.length, wanted.signal);
      yield slice;
    }
  }
}

async function receive(incoming: IncomingMessage, wanted: RestRequest, pacing: Pacing): Promise<Uint8Array> {
  if (wanted.method === "HEAD") {
    incoming.resume();
    return new Uint8Array();
  }
  const announced = Number(incoming.headers["content-length"] ?? Number.NaN);
  if (announced > BODY_BYTES_MAX) throw new Error(`the server announces ${announced} bytes`);
  const pieces: Uint8Array[] = [];
  let received = 0;
  for await (const piece of incoming as AsyncIterable<Uint8Array>) {
    received += piece.length;
    if (received > BODY_BYTES_MAX) throw new Error(`the server sends more than ${BODY_BYTES_MAX} bytes`);
    await pacing.received?.take(piece.length, wanted.signal);
    pieces.push(piece);
  }
  // Own memory: pieces lie in buffers that the network code shares.
  const body = new Uint8Array(received);
  let at = 0;
  for (const piece of pieces) {
    body.set(piece, at);
    at += piece.length;
  }
  return body;
}
