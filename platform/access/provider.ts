/** What the provider calls itself. */

import type { Tx } from "../database/database.ts";

const UNNAMED = "Mainstay";

export async function readProviderName(tx: Tx): Promise<string> {
  const [row] = await tx.query<{ name: string }>("select name from access.provider");
  return row?.name ?? UNNAMED;
}

export async function setProviderName(tx: Tx, name: string): Promise<void> {
  await tx.query(
    "insert into access.provider (name) values ($1) on conflict (one) do update set name = excluded.name",
    [name],
  );
}
