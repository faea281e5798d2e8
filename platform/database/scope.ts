/** Which customers a piece of work may see: the value that row-level security compares every row with. */

import type { CustomerId } from "@mainstay/contract";

/** `all` is for users of the provider and for the server itself; agents and peers work in `customers`. */
export type Scope =
  | { readonly kind: "all" }
  | { readonly kind: "customers"; readonly customerIds: readonly CustomerId[] };

export const allCustomers: Scope = { kind: "all" };

export function scopeOf(...customerIds: readonly CustomerId[]): Scope {
  return { kind: "customers", customerIds };
}

/** The text of the setting `mainstay.customer_scope`. An empty list sees nothing. */
export function scopeSetting(scope: Scope): string {
  return scope.kind === "all" ? "*" : scope.customerIds.join(",");
}
