import { eachItem, type Page, type PageQuery } from "../../base/page.ts";
import type { Revision } from "../../dynamo/revision-log.ts";
import type { PriceBook } from "./price-book.ts";
import { effectiveMs } from "./price-plan.ts";

/** Newest first, as a revision log answers. */
export type PriceHistory = { readonly history: (name: string, page: PageQuery) => Promise<Page<Revision<PriceBook>>> };

/** A book's revisions in their order: all of them, or those from the one in force at `fromMs` on; none if there is no such book. */
export async function readBook(log: PriceHistory, name: string, fromMs = Number.NEGATIVE_INFINITY): Promise<Revision<PriceBook>[]> {
  const newestFirst: Revision<PriceBook>[] = [];
  for await (const each of eachItem((page) => log.history(name, page))) {
    newestFirst.push(each);
    if (effectiveMs(each) <= fromMs) break;
  }
  return newestFirst.toReversed();
}
