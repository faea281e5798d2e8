/** What the two loops of the agent share: the connection tells, the backups follow. */

import type { AgentMessage, DesiredState } from "@mainstay/contract";
import type { Clock } from "@mainstay/kit";
import type { Log } from "../log.ts";
import type { Outbox } from "../outbox/outbox.ts";
import type { Enrolment, Folder } from "../state/folder.ts";
import type { WorkQueue } from "../work/work-queue.ts";
import type { Bell } from "./wake.ts";

export type Surroundings = {
  readonly folder: Folder;
  readonly enrolment: Enrolment;
  readonly outbox: Outbox;
  readonly workQueue: WorkQueue;
  readonly version: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
};

export type AgentState = {
  desired: DesiredState | undefined;
  /** Only an active device backs up. Kept over a lost connection; `pending` until the server says more. */
  standing: "pending" | "active";
  /** The server's clock minus ours. */
  serverAheadMs: number;
  /** The run going on. */
  running: { readonly runId: string; readonly cancel: (reason: unknown) => void } | undefined;
  /** Sends if connected, else nothing: for what may be lost. */
  sendLossy: (message: AgentMessage) => void;
  /** Rings when the backups have something to look at. */
  readonly changed: Bell;
};
