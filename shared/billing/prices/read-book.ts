import type { Page, PageQuery } from "../../base/page.ts";
import { PAGE_ITEMS_MAX } from "../../base/page.ts";
import type { Revision } from "../../dynamo/revision-log.ts";
import type { PriceBook } from "./price-book.ts";
import { effectiveMs } from "./price-plan.ts";

const PAGES_MAX = 100;

/** Newest first, as a revision log answers. */
export type PriceHistory = { readonly history: (name: string, page: PageQuery) => Promise<Page<Revision<PriceBook>>> };

/** A book's revisions in their order, from the one in force at `fromMs` on, or the first; none if there is no such book. */
export async function readBook(log: PriceHistory, name: string, fromMs: number): Promise<Revision<PriceBook>[]> {
  const newestFirst: Revision<PriceBook>[] = [];
  let page: PageQuery = { limit: PAGE_ITEMS_MAX };
  for (let pages = 0; pages < PAGES_MAX; pages += 1) {
    const { items, nextCursor } = await log.history(name, page);
    const inForce = items.findIndex((each) => effectiveMs(each) <= fromMs);
    newestFirst.push(...(inForce === -1 ? items : items.slice(0, inForce + 1)));
    if (inForce !== -1 || nextCursor === undefined) return newestFirst.toReversed();
    page = { limit: PAGE_ITEMS_MAX, cursor: nextCursor };
  }
  throw new Error(`the price book ${name} has more than ${PAGES_MAX * PAGE_ITEMS_MAX} revisions`);
}
