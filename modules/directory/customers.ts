/** Customers: rows and what may be done to them. */

import type { Selectable } from "kysely";
import { customerId, type Customer, type CustomerId } from "@mainstay/contract";
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
import type { CustomerTable, DirectoryTables } from "./tables.ts";

export function customerOf(row: Selectable<CustomerTable>): Customer {
  return { id: row.id, name: row.name, state: row.state, createdAt: row.created_at.toISOString() };
}

/** Throws `request.not-found`, also for one outside the scope of `tx`. */
export async function readCustomer(tx: Tx, id: CustomerId): Promise<Customer> {
  const row = await tx
    .tables<DirectoryTables>()
    .selectFrom("directory.customer")
    .selectAll()
    .where("id", "=", id)
    .executeTakeFirst();
  if (row === undefined) throw notFound("customer", id);
  return customerOf(row);
}

export async function listCustomers(
  tx: Tx,
  request: PageRequest & { readonly state?: Customer["state"] | undefined },
): Promise<Page<Customer>> {
  const limit = pageLimit(request);
  let query = tx
    .tables<DirectoryTables>()
    .selectFrom("directory.customer")
    .selectAll()
    .where(afterName(pageAfter(request)));
  if (request.state !== undefined) query = query.where("state", "=", request.state);
  const rows = await query
    .orderBy(byName)
    .limit(limit + 1)
    .execute();
  return pageFrom(rows, limit, customerOf, nameKey);
}

/** Every customer of the scope, by name. */
export async function allCustomersOf(tx: Tx): Promise<readonly Customer[]> {
  const rows = await tx
    .tables<DirectoryTables>()
    .selectFrom("directory.customer")
    .selectAll()
    .orderBy(byName)
    .execute();
  return rows.map(customerOf);
}

/** Throws `request.conflict` when the name is taken. */
export async function addCustomer(tx: Tx, name: string, now: Date): Promise<Customer> {
  const row = { id: customerId.parse(newUuid(now)), name, created_at: now };
  const added = await takenAsConflict("customer", name, () =>
    tx
      .tables<DirectoryTables>()
      .insertInto("directory.customer")
      .values(row)
      .returningAll()
      .executeTakeFirstOrThrow(),
  );
  return customerOf(added);
}

export type CustomerChange = {
  readonly name?: string | undefined;
  readonly state?: Customer["state"] | undefined;
};

export async function changeCustomer(tx: Tx, before: Customer, change: CustomerChange): Promise<Customer> {
  const after = { name: change.name ?? before.name, state: change.state ?? before.state };
  const changed = await takenAsConflict("customer", after.name, () =>
    tx
      .tables<DirectoryTables>()
      .updateTable("directory.customer")
      .set(after)
      .where("id", "=", before.id)
      .returningAll()
      .executeTakeFirstOrThrow(),
  );
  return customerOf(changed);
}
