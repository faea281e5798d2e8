export * from "./access/handlers.ts";
export * from "./access/links.ts";
export * from "./access/parts.ts";
export * from "./access/tokens.ts";
export * from "./agents.ts";
export * from "./audit/audit.ts";
export * from "./database/database.ts";
export * from "./database/migrations.ts";
export * from "./database/pages.ts";
export * from "./database/schema-golden.ts";
export * from "./database/scope.ts";
export * from "./events/domain.ts";
export * from "./events/live.ts";
export * from "./http/callers.ts";
export * from "./http/errors.ts";
export * from "./http/handlers.ts";
export * from "./http/live-socket.ts";
export * from "./http/security.ts";
export * from "./http/server.ts";
export * from "./jobs/jobs.ts";
export * from "./module.ts";
export * from "./platform.ts";
export * from "./postgres/folder-lock.ts";
export * from "./secrets/key-folder.ts";
export * from "./secrets/wrapping.ts";
export {
  createRestVault,
  type Access as VaultAccess,
  type AccessRequest as VaultAccessRequest,
  type RestVault,
  type RestVaultOptions,
  type StoredEvent as VaultStoredEvent,
  type Verb as VaultVerb,
} from "./rest-vault/rest-vault.ts";
