/** Order and cursor of lists by name. */

import { sql, type RawBuilder, type SqlBool } from "kysely";
import { requestErrors } from "@mainstay/platform";

/** Rows after the cursor `[lower(name), id]`; every row for the first page. */
export function afterName(after: readonly string[] | undefined): RawBuilder<SqlBool> {
  if (after === undefined) return sql<SqlBool>`true`;
  return sql<SqlBool>`(lower(name), id) > (${after[0]}, ${after[1]}::uuid)`;
}

export const byName = sql`lower(name), id`;

export function nameKey(row: { readonly name: string; readonly id: string }): readonly string[] {
  // As SQL's lower() in the C locale: ASCII only.
  return [row.name.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase()), row.id];
}

const UNIQUE_VIOLATION = "23505";

/** Runs `task`; a name that another row has becomes `request.conflict`. */
export async function takenAsConflict<Result>(
  noun: string,
  name: string,
  task: () => Promise<Result>,
): Promise<Result> {
  try {
    return await task();
  } catch (cause) {
    if (!(cause instanceof Error) || !("code" in cause) || cause.code !== UNIQUE_VIOLATION) throw cause;
    throw requestErrors.error(
      "conflict",
      `Cannot name the ${noun} "${name}": the name is taken; choose another`,
      {
        cause,
        values: { name },
      },
    );
  }
}
