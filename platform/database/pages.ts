/** Pages of a list: the cursor is the sort key of the last row, so that rows added meanwhile neither repeat nor vanish. */

import { z } from "zod";
import { PAGE_SIZE_DEFAULT } from "@mainstay/contract";
import { requestErrors } from "../http/errors.ts";

export type PageRequest = { readonly cursor?: string | undefined; readonly limit?: number | undefined };
/** As the contract's `pageOf`, which callers may change. */
export type Page<Item> = { items: Item[]; next: string | null };

const cursorParts = z.array(z.string().max(300)).min(1).max(4);

export function pageLimit(request: PageRequest): number {
  return request.limit ?? PAGE_SIZE_DEFAULT;
}

/** The sort key after which the page begins; undefined for the first page. Throws `request.invalid`. */
export function pageAfter(request: PageRequest): readonly string[] | undefined {
  if (request.cursor === undefined) return undefined;
  const text = Buffer.from(request.cursor, "base64url").toString("utf8");
  const parsed = cursorParts.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  throw requestErrors.error(
    "invalid",
    "Cannot read the cursor; hand back `next` of the page before as it was",
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Makes the page out of `limit + 1` rows; `keyOf` gives the sort key that `pageAfter` answers for the next one. */
export function pageFrom<Row, Item>(
  rows: readonly Row[],
  limit: number,
  itemOf: (row: Row) => Item,
  keyOf: (row: Row) => readonly string[],
): Page<Item> {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  const next = rows.length > limit && last !== undefined ? encodeCursor(keyOf(last)) : null;
  return { items: shown.map(itemOf), next };
}

function encodeCursor(key: readonly string[]): string {
  return Buffer.from(JSON.stringify(key)).toString("base64url");
}
