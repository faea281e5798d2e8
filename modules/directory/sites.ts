/** Sites: rows and what may be done to them. */

import type { Selectable } from "kysely";
import { siteId, type CustomerId, type Site, type SiteId } from "@mainstay/contract";
import { newUuid } from "@mainstay/kit";
import {
  notFound,
  pageAfter,
  pageFrom,
  pageLimit,
  type Page,
  type PageRequest,
  type Tx,
} from "@mainstay/platform";
import { afterName, byName, nameKey, takenAsConflict } from "./listing.ts";
import type { DirectoryTables, SiteTable } from "./tables.ts";

export function siteOf(row: Selectable<SiteTable>): Site {
  return {
    id: row.id,
    customerId: row.customer_id,
    name: row.name,
    timeZone: row.time_zone,
    createdAt: row.created_at.toISOString(),
  };
}

/** Throws `request.not-found`, also for one outside the scope of `tx`. */
export async function readSite(tx: Tx, id: SiteId): Promise<Site> {
  const row = await tx
    .tables<DirectoryTables>()
    .selectFrom("directory.site")
    .selectAll()
    .where("id", "=", id)
    .executeTakeFirst();
  if (row === undefined) throw notFound("site", id);
  return siteOf(row);
}

export async function listSites(
  tx: Tx,
  request: PageRequest & { readonly customerId?: CustomerId | undefined },
): Promise<Page<Site>> {
  const limit = pageLimit(request);
  let query = tx
    .tables<DirectoryTables>()
    .selectFrom("directory.site")
    .selectAll()
    .where(afterName(pageAfter(request)));
  if (request.customerId !== undefined) query = query.where("customer_id", "=", request.customerId);
  const rows = await query
    .orderBy(byName)
    .limit(limit + 1)
    .execute();
  return pageFrom(rows, limit, siteOf, nameKey);
}

/** Every site of the scope, by name. */
export async function allSitesOf(tx: Tx): Promise<readonly Site[]> {
  const rows = await tx
    .tables<DirectoryTables>()
    .selectFrom("directory.site")
    .selectAll()
    .orderBy(byName)
    .execute();
  return rows.map(siteOf);
}

export type NewSite = { readonly customerId: CustomerId; readonly name: string; readonly timeZone: string };

/** Throws `request.conflict` when the customer has a site of this name. */
export async function addSite(tx: Tx, site: NewSite, now: Date): Promise<Site> {
  const row = {
    id: siteId.parse(newUuid(now)),
    customer_id: site.customerId,
    name: site.name,
    time_zone: site.timeZone,
    created_at: now,
  };
  const added = await takenAsConflict("site", site.name, () =>
    tx
      .tables<DirectoryTables>()
      .insertInto("directory.site")
      .values(row)
      .returningAll()
      .executeTakeFirstOrThrow(),
  );
  return siteOf(added);
}

export type SiteChange = { readonly name?: string | undefined; readonly timeZone?: string | undefined };

export async function changeSite(tx: Tx, before: Site, change: SiteChange): Promise<Site> {
  const after = { name: change.name ?? before.name, time_zone: change.timeZone ?? before.timeZone };
  const changed = await takenAsConflict("site", after.name, () =>
    tx
      .tables<DirectoryTables>()
      .updateTable("directory.site")
      .set(after)
      .where("id", "=", before.id)
      .returningAll()
      .executeTakeFirstOrThrow(),
  );
  return siteOf(changed);
}
