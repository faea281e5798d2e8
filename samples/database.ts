/** The server's rows, loaded by its own PostgreSQL, and the questions a recovered server must answer alike. */

import { assert } from "@mainstay/kit";
import { SAMPLE_CREDENTIALS, type Recipe } from "./recipe.ts";
import { runInRoot } from "./root-filesystem.ts";

export type SqlCheck = { readonly query: string; readonly answer: string };

/** Fills the cluster in `root`, stops it cleanly, and gives the checks with the answers it gave. */
export async function loadDatabase(
  root: string,
  recipe: Recipe,
  signal?: AbortSignal,
): Promise<readonly SqlCheck[]> {
  const environment = {
    DATABASE: SAMPLE_CREDENTIALS.database,
    ROLE: SAMPLE_CREDENTIALS.user,
    PASSWORD: SAMPLE_CREDENTIALS.password,
    PGBENCH_SCALE: String(recipe.pgbenchScale),
    ORDER_ROWS: String(recipe.orderRows),
  };
  const printed = await runInRoot("load the sample's database", {
    root,
    step: "load-database.sh",
    environment,
    signal,
  });
  return parseChecks(printed);
}

/** Lines of a query, a tabulator, its answer. */
export function parseChecks(printed: string): readonly SqlCheck[] {
  const checks = printed
    .trimEnd()
    .split("\n")
    .map((line) => line.split("\t"));
  return checks.map(([query, answer]) => {
    assert(
      query !== undefined && answer !== undefined && answer !== "",
      "every check of the loaded database has an answer",
    );
    return { query, answer };
  });
}

/** What {@link parseChecks} reads. */
export function printChecks(checks: readonly SqlCheck[]): string {
  return checks.map(({ query, answer }) => `${query}\t${answer}\n`).join("");
}
