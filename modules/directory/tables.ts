/** The module's tables as kysely sees them. */

import type { ColumnType, Generated, JSONColumnType } from "kysely";
import type {
  CustomerId,
  DeviceFacts,
  DeviceId,
  DeviceKind,
  DeviceState,
  EnrolmentTokenId,
  SiteId,
  UserId,
} from "@mainstay/contract";

/** Set once, by the database or at insert. */
type Fixed<Value> = ColumnType<Value, Value, never>;

export type CustomerTable = {
  readonly id: Fixed<CustomerId>;
  readonly name: string;
  readonly state: Generated<"active" | "archived">;
  readonly created_at: Fixed<Date>;
};

export type SiteTable = {
  readonly id: Fixed<SiteId>;
  readonly customer_id: Fixed<CustomerId>;
  readonly name: string;
  readonly time_zone: string;
  readonly created_at: Fixed<Date>;
};

export type DeviceTable = {
  readonly id: Fixed<DeviceId>;
  readonly customer_id: Fixed<CustomerId>;
  readonly site_id: SiteId;
  readonly name: string;
  readonly kind: DeviceKind;
  readonly state: DeviceState;
  readonly facts: JSONColumnType<DeviceFacts>;
  readonly agent_key: string | null;
  readonly agent_version: string | null;
  readonly agent_connected: Generated<boolean>;
  readonly agent_last_seen_at: Date | null;
  readonly agent_clock_offset_ms: number | null;
  readonly created_at: Fixed<Date>;
};

export type EnrolmentTokenTable = {
  readonly id: Fixed<EnrolmentTokenId>;
  readonly customer_id: Fixed<CustomerId>;
  readonly site_id: Fixed<SiteId>;
  readonly secret_hash: Fixed<Buffer>;
  readonly approval: Fixed<"by-technician" | "automatic">;
  readonly uses: Generated<number>;
  readonly uses_max: Fixed<number>;
  readonly expires_at: Fixed<Date>;
  readonly revoked_at: Date | null;
  readonly created_at: Fixed<Date>;
  readonly created_by: Fixed<UserId | null>;
};

export type DirectoryTables = {
  readonly "directory.customer": CustomerTable;
  readonly "directory.site": SiteTable;
  readonly "directory.device": DeviceTable;
  readonly "directory.enrolment_token": EnrolmentTokenTable;
};
