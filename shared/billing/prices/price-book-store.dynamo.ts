import type { Dynamo } from "../../dynamo/client.ts";
import { createRevisionLog, type RevisionLog } from "../../dynamo/revision-log.ts";
import { PRICE_BOOK_GROUP, PriceBook } from "./price-book.ts";

/** Price books by name; a revision's number is the price version of rows. */
export function createPriceBookStore(dynamo: Dynamo): RevisionLog<PriceBook> {
  return createRevisionLog(dynamo, { name: "prices", schema: PriceBook, groupOf: () => PRICE_BOOK_GROUP });
}
