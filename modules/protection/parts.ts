/** What this module stands on: the platform, the door of `directory`, the way to agents, and its own folders. */

import path from "node:path";
import type { Directory } from "@mainstay/directory";
import type { AgentLink, Platform } from "@mainstay/platform";
import type { EvidenceSigner } from "./evidence/signature.ts";
import type { ProgressBoard } from "./runs/progress-board.ts";

export type ProtectionParts = {
  readonly platform: Platform;
  readonly directory: Directory;
  readonly agents: AgentLink;
  readonly signer: EvidenceSigner;
  readonly progress: ProgressBoard;
  /** Aborts when the server stops: long work ends, and is found interrupted at the next start. */
  readonly stopping: AbortSignal;
};

/** Repositories of our own devices. */
export function vaultFolder(parts: ProtectionParts): string {
  return path.join(parts.platform.dataDirectory, "vault");
}

/** Repositories kept for other Mainstays. */
export function keptFolder(parts: ProtectionParts): string {
  return path.join(parts.platform.dataDirectory, "kept");
}

/** What recovered machines write, and their sockets. */
export function recoveryFolder(parts: ProtectionParts): string {
  return path.join(parts.platform.dataDirectory, "recovery");
}
