import type { Clock } from "../shared/base/clock.ts";
import { AHEAD_MS_MIN, type PriceBook } from "../shared/billing/prices/price-book.ts";
import { type EntryOf, effectiveMs, planEntries } from "../shared/billing/prices/price-plan.ts";
import { type PriceHistory, readBook } from "../shared/billing/prices/read-book.ts";
import { createCache } from "./cache.ts";

const FRESH_MS = 5_000;
/** Less than prices are made known ahead of their time, with what two clocks may differ: so every gateway prices an instant alike. */
const HARD_MS = 30_000;
const BOOKS_MAX = 1_000;

/** One revision of a book, ready to look prices up in. */
export type PricesInForce = { readonly revision: number; readonly body: PriceBook; readonly fromMs: number; readonly entryOf: EntryOf };

/** Which prices are in force: cached reads for the hot path. */
export type Prices = {
  /** The revision of a book at an instant of now; undefined before its first, or if there is no such book. At hand as a rule, without a promise. */
  readonly inForce: (book: string, atMs: number) => PricesInForce | undefined | Promise<PricesInForce | undefined>;
  /** Whoever has changed a book here sees it changed here at once. */
  readonly forget: (book: string) => void;
};

export function createPrices(log: PriceHistory, clock: Clock): Prices {
  const cache = createCache({
    load: async (book) => (await readBook(log, book, clock.nowMs() - AHEAD_MS_MIN)).map(ready),
    clock,
    freshMs: FRESH_MS,
    hardMs: HARD_MS,
    itemsMax: BOOKS_MAX,
  });
  return {
    inForce(book, atMs) {
      const revisions = cache.get(book);
      return revisions instanceof Promise ? revisions.then((each) => at(each, atMs)) : at(revisions, atMs);
    },
    forget: cache.forget,
  };
}

function ready({ revision, body }: { revision: number; body: PriceBook }): PricesInForce {
  return { revision, body, fromMs: effectiveMs({ revision, body }), entryOf: planEntries(body).entryOf };
}

function at(revisions: readonly PricesInForce[], atMs: number): PricesInForce | undefined {
  return revisions.findLast(({ fromMs }) => fromMs <= atMs);
}
