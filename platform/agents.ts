/**
 * How modules and agents meet: a module feeds desired state and takes records through hooks, and reaches agents through the
 * link. The endpoint itself is the server's (`apps/server/agents`).
 */

import type {
  AgentMessage,
  AgentRecord,
  AgentRecordKind,
  BackupDesired,
  CustomerId,
  DeviceId,
  Work,
} from "@mainstay/contract";
import type { Tx } from "./database/database.ts";

/** A device as its proven key says, never as a message says. */
export type AgentDevice = {
  readonly deviceId: DeviceId;
  readonly customerId: CustomerId;
  readonly name: string;
};

export type RecordOf<Kind extends AgentRecordKind> = Extract<AgentRecord, { readonly kind: Kind }>;
export type ProgressMessage = Extract<AgentMessage, { readonly type: "progress" }>;

export type AgentRecordHook<Kind extends AgentRecordKind> = (
  tx: Tx,
  device: AgentDevice,
  record: RecordOf<Kind>,
) => Promise<void>;

/** What a module does for agents. Each part may be given by one module only. */
export type AgentHooks = {
  /** The backup part of the desired state, or null. In the device's customer scope. */
  readonly backupDesired?: (tx: Tx, device: AgentDevice) => Promise<BackupDesired | null>;
  /**
   * Stores one record, in the transaction that acknowledges it and in the device's customer scope. Called once per
   * record. A rejection leaves it unacknowledged: the agent sends it again; so reject for passing causes only, and take
   * nonsense silently.
   */
  readonly records?: { readonly [Kind in AgentRecordKind]?: AgentRecordHook<Kind> };
  readonly progress?: (device: AgentDevice, message: ProgressMessage) => void;
};

export type NewWork =
  | { readonly kind: "backup-now"; readonly dedupeKey: string; readonly expiresAt: Date }
  | {
      readonly kind: "cancel-run";
      readonly dedupeKey: string;
      readonly expiresAt: Date;
      readonly runId: Extract<Work, { kind: "cancel-run" }>["runId"];
    };

/** What a module may ask of agents. */
export type AgentLink = {
  isConnected(deviceId: DeviceId): boolean;
  /** After commit of `tx`: computes the desired state again and sends it if it changed. */
  refresh(tx: Tx, deviceId: DeviceId): void;
  /** Queues work in `tx`; sent after commit, or when the agent comes back before it expires. A second with the same key is not queued. */
  queueWork(tx: Tx, device: AgentDevice, work: NewWork): Promise<void>;
};
