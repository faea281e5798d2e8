/** What one backup is, to the loop that times it. */

import type { AgentRecord, BackupDesired, RunProgress } from "@mainstay/contract";

type Finished = Extract<AgentRecord, { kind: "run-finished" }>["body"];

export type CaptureRequest = {
  readonly desired: BackupDesired;
  /** `https://host:port` of the server; its REST vault is at `desired.repositoryPath` there. */
  readonly address: string;
  readonly certificateSha256: string;
  /** Stays the same for the same device, whatever its host name becomes: parents are looked up by it. */
  readonly hostName: string;
  readonly onProgress: (progress: RunProgress) => void;
  readonly signal: AbortSignal;
};

export type Captured = {
  readonly result: NonNullable<Finished["result"]>;
  readonly point: NonNullable<Finished["point"]>;
};

/**
 * Backs up all sources as one restore point. Rejects with the signal's reason when aborted; with
 * `vault.backend-unreachable` when the server stayed away for longer than the vault's own retries: called again, it
 * finds what is there already and sends the rest.
 */
export type Capture = (request: CaptureRequest) => Promise<Captured>;
