/** Asking another server over HTTPS on connections of the caller's choosing, such as pinned ones. */

import type { Agent as HttpAgent } from "node:http";
import { request as httpsRequest, type Agent as HttpsAgent } from "node:https";
import type { Fetch } from "@mainstay/contract";

const TIMEOUT_MS = 30_000;

/** `fetch` over connections of `agent`, for the typed client: Node's own cannot pin a certificate without another library. */
export function fetchOver(agent: HttpAgent | HttpsAgent): Fetch {
  return (url, init) =>
    new Promise((resolve, reject) => {
      const headers = Object.fromEntries(new Headers(init.headers));
      const options = {
        method: init.method ?? "GET",
        headers,
        agent,
        timeout: TIMEOUT_MS,
        ...signalOf(init),
      };
      const request = httpsRequest(url, options, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          const status = response.statusCode ?? 500;
          const body = status === 204 || status === 304 ? null : new Uint8Array(Buffer.concat(chunks));
          resolve(new Response(body, { status, headers: headersOf(response.headers) }));
        });
      });
      request.on("timeout", () => request.destroy(new Error(`no answer within ${TIMEOUT_MS / 1000} s`)));
      request.on("error", reject);
      request.end(typeof init.body === "string" ? init.body : undefined);
    });
}

function signalOf(init: RequestInit): { readonly signal?: AbortSignal } {
  return init.signal === undefined || init.signal === null ? {} : { signal: init.signal };
}

function headersOf(raw: Readonly<Record<string, string | string[] | undefined>>): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(raw))
    if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(", ") : value);
  return headers;
}
