import { afterAll, beforeAll, expect, test } from "vitest";
import { startDynamo, type TestDynamo } from "../../../test/harness/dynamo.ts";
import { BOOKS } from "./invoice-book.ts";
import { createInvoiceBookStore } from "./invoice-book-store.dynamo.ts";

const BOOK = BOOKS.invoices;

let store: TestDynamo;
beforeAll(async () => {
  store = await startDynamo();
});
afterAll(() => store.close());

test("on the real engine: a slot is taken once, cleared once, and rolled back to the same number", async () => {
  const books = createInvoiceBookStore(store.dynamo);
  const [first, second] = [
    { number: 1, bearer: "acme-2026-11", atMs: 5 },
    { number: 2, bearer: "globex-2026-11", atMs: 6 },
  ];

  expect(await books.read(BOOK)).toEqual({ next: 1 });
  expect([await books.take(BOOK, first), await books.take(BOOK, first), await books.take(BOOK, second)]).toEqual([true, false, false]);
  expect(await books.read(BOOK)).toEqual({ next: 2, pending: first });
  expect([await books.clear(BOOK, second), await books.clear(BOOK, first), await books.clear(BOOK, first)]).toEqual([false, true, false]);
  expect(await books.take(BOOK, second)).toBe(true);
  expect([await books.rollBack(BOOK, second), await books.rollBack(BOOK, second)]).toEqual([true, false]);
  expect(await books.read(BOOK)).toEqual({ next: 2 });
  expect(await books.read(BOOKS.credits)).toEqual({ next: 1 });
});
