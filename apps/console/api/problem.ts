/** Anything thrown → what to show: the server's words when it gave some, and never a bare stack. */

import { ApiError } from "@mainstay/contract";

export type ProblemKind = "offline" | "forbidden" | "missing" | "failed";

export type Problem = {
  readonly kind: ProblemKind;
  readonly title: string;
  readonly message: string;
  readonly code: string | null;
};

const TITLES: Readonly<Record<ProblemKind, string>> = {
  offline: "The server does not answer",
  forbidden: "Not allowed with your role",
  missing: "Not found",
  failed: "That did not work",
};

export function problemOf(cause: unknown): Problem {
  if (!(cause instanceof ApiError)) {
    const message = cause instanceof Error ? cause.message : String(cause);
    return { kind: "failed", title: "The console itself failed", message, code: null };
  }
  const kind = kindOf(cause);
  return { kind, title: TITLES[kind], message: cause.message, code: cause.code };
}

export function isSignedOut(cause: unknown): boolean {
  return cause instanceof ApiError && cause.code === "access.not-signed-in";
}

function kindOf(cause: ApiError): ProblemKind {
  if (cause.status === 0 || cause.code === "server.stopping") return "offline";
  if (cause.code === "access.not-allowed") return "forbidden";
  if (cause.status === 404) return "missing";
  return "failed";
}
