/** Enrolment: tokens that are shown once and used a limited number of times, and the devices that come in by them. */

import { timingSafeEqual } from "node:crypto";
import type { Selectable } from "kysely";
import {
  enrolmentTokenId,
  type CustomerId,
  type Device,
  type DeviceFacts,
  type DeviceKind,
  type EnrolmentToken,
  type EnrolmentTokenId,
  type SiteId,
  type UserId,
} from "@mainstay/contract";
import { newUuid } from "@mainstay/kit";
import {
  contractErrors,
  hashToken,
  newToken,
  notFound,
  pageAfter,
  pageFrom,
  pageLimit,
  type Page,
  type PageRequest,
  type Tx,
} from "@mainstay/platform";
import { findDeviceByKey } from "./agents.ts";
import { addDevice, freeDeviceName } from "./devices.ts";
import type { DirectoryTables, EnrolmentTokenTable } from "./tables.ts";

export const directoryErrors = contractErrors("directory");

type TokenRow = Selectable<EnrolmentTokenTable>;

export function tokenOf(row: TokenRow, now: Date): EnrolmentToken {
  return {
    id: row.id,
    customerId: row.customer_id,
    siteId: row.site_id,
    state: stateOf(row, now),
    approval: row.approval,
    uses: row.uses,
    usesMax: row.uses_max,
    expiresAt: row.expires_at.toISOString(),
    createdAt: row.created_at.toISOString(),
    createdBy: row.created_by,
  };
}

function stateOf(row: TokenRow, now: Date): EnrolmentToken["state"] {
  if (row.revoked_at !== null) return "revoked";
  if (row.uses >= row.uses_max) return "spent";
  return row.expires_at.getTime() <= now.getTime() ? "expired" : "usable";
}

export type NewToken = {
  readonly customerId: CustomerId;
  readonly siteId: SiteId;
  readonly usesMax: number;
  readonly validHours: number;
  readonly approval: EnrolmentToken["approval"];
  readonly createdBy: UserId | null;
};

/** The secret is not stored: it is in the answer only. */
export async function addToken(
  tx: Tx,
  token: NewToken,
  now: Date,
): Promise<{ readonly token: EnrolmentToken; readonly secret: string }> {
  const secret = newToken();
  const row = await tx
    .tables<DirectoryTables>()
    .insertInto("directory.enrolment_token")
    .values({
      id: enrolmentTokenId.parse(newUuid(now)),
      customer_id: token.customerId,
      site_id: token.siteId,
      secret_hash: hashToken(secret),
      approval: token.approval,
      uses_max: token.usesMax,
      expires_at: new Date(now.getTime() + token.validHours * 3_600_000),
      revoked_at: null,
      created_at: now,
      created_by: token.createdBy,
    })
    .returningAll()
    .executeTakeFirstOrThrow();
  return { token: tokenOf(row, now), secret };
}

export async function listTokens(
  tx: Tx,
  request: PageRequest & { readonly customerId?: CustomerId | undefined },
  now: Date,
): Promise<Page<EnrolmentToken>> {
  const limit = pageLimit(request);
  const after = pageAfter(request)?.[0];
  let query = tx.tables<DirectoryTables>().selectFrom("directory.enrolment_token").selectAll();
  if (request.customerId !== undefined) query = query.where("customer_id", "=", request.customerId);
  if (after !== undefined) query = query.where("id", "<", enrolmentTokenId.parse(after));
  const rows = await query
    .orderBy("id", "desc")
    .limit(limit + 1)
    .execute();
  return pageFrom(
    rows,
    limit,
    (row) => tokenOf(row, now),
    (row) => [row.id],
  );
}

/** Devices that came in by it stay. Throws `request.not-found`. */
export async function revokeToken(tx: Tx, id: EnrolmentTokenId, now: Date): Promise<EnrolmentToken> {
  const row = await tx
    .tables<DirectoryTables>()
    .updateTable("directory.enrolment_token")
    .set((builder) => ({ revoked_at: builder.fn.coalesce("revoked_at", builder.val(now)) }))
    .where("id", "=", id)
    .returningAll()
    .executeTakeFirst();
  if (row === undefined) throw notFound("enrolment token", id);
  return tokenOf(row, now);
}

export type EnrolRequest = {
  readonly tokenId: EnrolmentTokenId;
  readonly secret: string;
  /** Proven by the handshake. */
  readonly deviceKey: string;
  readonly name: string;
  readonly kind: DeviceKind;
  readonly agentVersion: string;
  readonly facts: DeviceFacts;
};

/**
 * Makes the device and uses the token once. May be called again with the same key and token (the answer was lost): answers
 * the same device and uses nothing. Throws `directory.token-refused`. Wants the whole scope: the token names the customer.
 */
export async function enrolDevice(
  tx: Tx,
  request: EnrolRequest,
  now: Date,
): Promise<{ readonly device: Device; readonly isNew: boolean }> {
  const token = await readToken(tx, request);
  const known = await findDeviceByKey(tx, request.deviceKey);
  if (known !== undefined) {
    if (known.customerId !== token.customer_id)
      throw refused("this device is enrolled with another customer");
    return { device: known, isNew: false };
  }
  const state = stateOf(token, now);
  if (state !== "usable") throw refused(`the token is ${state}`);
  await tx
    .tables<DirectoryTables>()
    .updateTable("directory.enrolment_token")
    .set({ uses: token.uses + 1 })
    .where("id", "=", token.id)
    .execute();
  const name = await freeDeviceName(tx, token.customer_id, request.name);
  const device = await addDevice(
    tx,
    {
      customerId: token.customer_id,
      siteId: token.site_id,
      name,
      kind: request.kind,
      state: token.approval === "automatic" ? "active" : "pending",
      agent: { key: request.deviceKey, version: request.agentVersion, facts: request.facts },
    },
    now,
  );
  return { device, isNew: true };
}

/** Locks the row, so that two agents cannot both take the last use. */
async function readToken(tx: Tx, { tokenId, secret }: EnrolRequest): Promise<TokenRow> {
  const row = await tx
    .tables<DirectoryTables>()
    .selectFrom("directory.enrolment_token")
    .selectAll()
    .where("id", "=", tokenId)
    .forUpdate()
    .executeTakeFirst();
  const isRight = row !== undefined && timingSafeEqual(row.secret_hash, hashToken(secret));
  if (row === undefined || !isRight) throw refused("no such token");
  return row;
}

function refused(reason: string) {
  return directoryErrors.error(
    "token-refused",
    `Cannot enrol: ${reason}; make a new enrolment token in the console`,
    { values: { reason } },
  );
}
