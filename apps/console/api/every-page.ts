/** All items of a list that is short by nature (customers, vaults, plans), read page by page. */

import { PAGE_SIZE_MAX } from "@mainstay/contract";

/** Beyond this a list is no longer short, and its page should load more on request instead. */
const PAGES_MAX = 25;

type Page<Item> = { readonly items: readonly Item[]; readonly next: string | null };
type PageQuery = { readonly limit: number; readonly cursor?: string };

export async function everyPage<Item>(
  read: (query: PageQuery) => Promise<Page<Item>>,
): Promise<readonly Item[]> {
  const items: Item[] = [];
  let cursor: string | null | undefined;
  for (let pages = 0; pages < PAGES_MAX && cursor !== null; pages += 1) {
    const page = await read(
      cursor === undefined ? { limit: PAGE_SIZE_MAX } : { limit: PAGE_SIZE_MAX, cursor },
    );
    items.push(...page.items);
    cursor = page.next;
  }
  return items;
}
