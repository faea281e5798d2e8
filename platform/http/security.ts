/** What keeps other sites' pages out: the Origin check, and the headers that confine our own page. */

import type { IncomingMessage } from "node:http";
import { requestErrors } from "./errors.ts";

/** Mantine writes style attributes, so styles are let in; scripts come from us alone. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data: blob:",
  "font-src 'self' data:",
  "connect-src 'self'",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join("; ");

export const securityHeaders: Readonly<Record<string, string>> = {
  "content-security-policy": CONTENT_SECURITY_POLICY,
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
};

/**
 * Throws `request.foreign-origin` when a browser says that another site's page sent this. The cookie is SameSite=Strict
 * already; this stands for browsers and sites (same site, other origin) where that does not help. Programs send no Origin.
 */
export function checkOrigin(request: IncomingMessage): void {
  const { origin, host } = request.headers;
  const site = request.headers["sec-fetch-site"];
  const isOwn =
    origin === undefined
      ? site === undefined || site === "same-origin" || site === "none"
      : origin === `https://${host ?? ""}`;
  if (isOwn) return;
  throw requestErrors.error(
    "foreign-origin",
    `Cannot take this request: it came from a page of ${origin ?? "another site"}, wanted https://${host ?? ""}; open the console at its own address`,
    { values: { origin: origin ?? null } },
  );
}
