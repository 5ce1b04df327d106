import { expect, test } from "vitest";
import { PriceBook } from "../shared/billing/prices/price-book.ts";
import type { PriceHistory } from "../shared/billing/prices/read-book.ts";
import { createPrices } from "./prices.ts";

const HOUR_MS = 3_600_000;
const START_MS = Date.UTC(2026, 10, 1);

/** A book with a revision for each of the hours, counted from the start. */
function bookOf(...hours: number[]) {
  const revisions = hours.map((hour, place) => ({
    ...{ revision: place + 1, by: "test", why: "", at: "" },
    body: PriceBook.parse({ name: "b", currency: "EUR", effectiveFrom: new Date(START_MS + hour * HOUR_MS).toISOString(), entries: [{}] }),
  }));
  let reads = 0;
  const log: PriceHistory = {
    history: async (name, { cursor }) => {
      reads += 1;
      const before = revisions.filter(({ revision }) => name === "b" && (cursor === undefined || revision <= Number(cursor))).reverse();
      const items = before.slice(0, 2); // a short page, so that paging is seen
      const last = items.at(-1)?.revision ?? 1;
      return last > 1 ? { items, nextCursor: String(last - 1) } : { items };
    },
  };
  return { log, reads: () => reads };
}

test("the revision in force is that of the instant, from its first millisecond on", async () => {
  const clock = { nowMs: () => START_MS + 2 * HOUR_MS };
  const prices = createPrices(bookOf(0, 2, 3, 50).log, clock);
  const at = async (ms: number) => (await prices.inForce("b", START_MS + ms))?.revision;

  expect(await at(2 * HOUR_MS - 1)).toBe(1);
  expect(await at(2 * HOUR_MS)).toBe(2);
  expect(await at(3 * HOUR_MS)).toBe(3);
  expect(await createPrices(bookOf(3).log, clock).inForce("b", START_MS + 2 * HOUR_MS)).toBeUndefined();
  expect(await prices.inForce("nothing", START_MS)).toBeUndefined();
});

test("once read, prices are at hand without a promise, and are read again after a while or when they were changed here", async () => {
  const clock = { nowMs: () => START_MS };
  const { log, reads } = bookOf(0);
  const prices = createPrices(log, clock);
  await prices.inForce("b", START_MS);

  expect(prices.inForce("b", START_MS)).toMatchObject({ revision: 1 });
  expect(reads()).toBe(1);
  prices.forget("b");
  await prices.inForce("b", START_MS);
  expect(reads()).toBe(2);
});
