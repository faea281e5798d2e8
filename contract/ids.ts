/** Identifiers as the wire carries them, branded so that ids of different nouns cannot be mixed up. */

import { z } from "zod";

export const userId = z.uuid().brand<"UserId">();
export const sessionId = z.uuid().brand<"SessionId">();
export const auditEntryId = z.uuid().brand<"AuditEntryId">();
export const customerId = z.uuid().brand<"CustomerId">();
export const siteId = z.uuid().brand<"SiteId">();
export const deviceId = z.uuid().brand<"DeviceId">();
export const enrolmentTokenId = z.uuid().brand<"EnrolmentTokenId">();
export const protectionPlanId = z.uuid().brand<"ProtectionPlanId">();
export const vaultId = z.uuid().brand<"VaultId">();
export const repositoryId = z.uuid().brand<"RepositoryId">();
export const runId = z.uuid().brand<"RunId">();
export const recoverySessionId = z.uuid().brand<"RecoverySessionId">();
export const restoreTestId = z.uuid().brand<"RestoreTestId">();
export const peerId = z.uuid().brand<"PeerId">();
export const workId = z.uuid().brand<"WorkId">();

/** The restic snapshot id: SHA-256 of the snapshot file. */
export const restorePointId = z
  .string()
  .regex(/^[0-9a-f]{64}$/, "wanted 64 hexadecimal digits")
  .brand<"RestorePointId">();

export type UserId = z.output<typeof userId>;
export type SessionId = z.output<typeof sessionId>;
export type AuditEntryId = z.output<typeof auditEntryId>;
export type CustomerId = z.output<typeof customerId>;
export type SiteId = z.output<typeof siteId>;
export type DeviceId = z.output<typeof deviceId>;
export type EnrolmentTokenId = z.output<typeof enrolmentTokenId>;
export type ProtectionPlanId = z.output<typeof protectionPlanId>;
export type VaultId = z.output<typeof vaultId>;
export type RepositoryId = z.output<typeof repositoryId>;
export type RunId = z.output<typeof runId>;
export type RecoverySessionId = z.output<typeof recoverySessionId>;
export type RestoreTestId = z.output<typeof restoreTestId>;
export type RestorePointId = z.output<typeof restorePointId>;
export type PeerId = z.output<typeof peerId>;
export type WorkId = z.output<typeof workId>;
