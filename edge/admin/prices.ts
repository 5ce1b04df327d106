import { isDeepStrictEqual } from "node:util";
import { Hono } from "hono";
import { Failure, FailureAnswer } from "../../shared/base/failure.ts";
import { PageQuery, pageOf } from "../../shared/base/page.ts";
import {
  AHEAD_MS_MIN,
  PRICE_BOOK_GROUP,
  type PriceBook,
  PriceBookChange,
  PriceBookRevision,
} from "../../shared/billing/prices/price-book.ts";
import { PriceBookName } from "../../shared/billing/tenant-billing.ts";
import type { Revision } from "../../shared/dynamo/revision-log.ts";
import type { Deps } from "../deps.ts";
import type { EdgeContext, EdgeEnv } from "../env.ts";
import { checked, readJson } from "../http.ts";
import type { PathGroup } from "../openapi.ts";
import { changeOf, stamped } from "./change.ts";
import { answerRevision, appendNext, ETAG, IF_MATCH } from "./if-match.ts";
import { assertFitsPrepaid } from "./prepaid-books.ts";

type PriceDeps = Pick<Deps, "clock" | "prices"> & { readonly control: Pick<Deps["control"], "prices" | "tenants"> };

/** `/admin/prices`: what things cost, and from when on. */
export function priceRoutes(deps: PriceDeps) {
  const { prices } = deps.control;
  return new Hono<EdgeEnv>()
    .get("/", async (c) => {
      const page = await prices.list(PRICE_BOOK_GROUP, checked(c.req.query(), PageQuery));
      return c.json({ ...page, items: page.items.map(shown) });
    })
    .get("/:book", async (c) => answerRevision(c, shown(await bookOf(deps, c.req.param("book")))))
    .put("/:book", async (c) => {
      const { book, isNew } = await setPrices(deps, c);
      return answerRevision(c, shown(book), isNew ? 201 : 200);
    })
    .get("/:book/history", async (c) => {
      const { body } = await bookOf(deps, c.req.param("book"));
      const page = await prices.history(body.name, checked(c.req.query(), PageQuery));
      return c.json({ ...page, items: page.items.map(shown) });
    });
}

/** Makes a book by its first revision, or appends to it. The prices that are in force already change nothing, whenever they began. */
async function setPrices(deps: PriceDeps, c: EdgeContext): Promise<{ book: Revision<PriceBook>; isNew: boolean }> {
  const { why, ...change } = await readJson(c, PriceBookChange);
  const name = checked(c.req.param("book"), PriceBookName);
  const body: PriceBook = { ...change, name };
  const before = await deps.control.prices.current(name);
  if (before !== undefined) {
    if (isDeepStrictEqual(before.body, body)) return { book: before, isNew: false };
    await assertFitsPrepaid(deps.control.tenants, body);
    // After all that takes time: what is ahead is counted from the write.
    assertFollows(before.body, body, deps.clock.nowMs());
  }
  const book = await appendNext(c, deps.control.prices, { id: name, current: before, body, change: changeOf(c, deps.clock, why) });
  deps.prices.forget(name);
  return { book, isNew: before === undefined };
}

/** Rows that are answered are priced already: a book never changes what has been, and every gateway knows a change before it is in force. */
function assertFollows(before: PriceBook, next: PriceBook, nowMs: number) {
  const refuse = (field: string, why: string): never => {
    throw new Failure("invalid_request", `${field}: ${why}`, { field });
  };
  const fromMs = Date.parse(next.effectiveFrom);
  if (next.currency !== before.currency) refuse("currency", `this book is in ${before.currency}, for good: make another book`);
  // From the same hour on, they take the place of prices that are not in force yet: a mistake can be mended before anybody pays it.
  if (fromMs < Date.parse(before.effectiveFrom))
    refuse("effectiveFrom", `must not be before ${before.effectiveFrom}, from when on the prices before are in force`);
  if (fromMs < nowMs + AHEAD_MS_MIN)
    refuse("effectiveFrom", `must be at least ${AHEAD_MS_MIN / 1_000} s ahead, so that every gateway knows it in time`);
}

async function bookOf(deps: PriceDeps, name: string): Promise<Revision<PriceBook>> {
  const book = PriceBookName.safeParse(name).success ? await deps.control.prices.current(name) : undefined;
  if (book === undefined) throw new Failure("not_found", `There is no price book '${name.slice(0, 100)}'.`, { field: "book" });
  return book;
}

function shown(book: Revision<PriceBook>): PriceBookRevision {
  return stamped(book.body, book);
}

export const pricePaths: PathGroup = {
  name: "prices",
  summary: "What things cost, and from when on",
  failure: FailureAnswer,
  paths: [
    {
      method: "get",
      path: "/admin/prices",
      summary: "Lists price books, each with its latest prices",
      scope: "billing",
      query: PageQuery,
      answer: { status: 200, summary: "One page", schema: pageOf(PriceBookRevision) },
    },
    {
      method: "get",
      path: "/admin/prices/{book}",
      summary: "Shows a book's latest prices, which may be still to come",
      scope: "billing",
      headersOut: [ETAG],
      answer: { status: 200, summary: "The prices", schema: PriceBookRevision },
      refusals: ["not_found"],
    },
    {
      method: "put",
      path: "/admin/prices/{book}",
      summary: "Sets what a book charges from an hour on; what was charged before stays",
      scope: "billing",
      body: PriceBookChange,
      headers: [IF_MATCH],
      headersOut: [ETAG],
      answer: { status: 200, summary: "The prices", schema: PriceBookRevision },
      otherwise: { status: 201, summary: "The prices of a new book" },
      refusals: ["conflict", "precondition_failed"],
    },
    {
      method: "get",
      path: "/admin/prices/{book}/history",
      summary: "Lists what a book charged and will charge, newest first",
      scope: "billing",
      query: PageQuery,
      answer: { status: 200, summary: "One page", schema: pageOf(PriceBookRevision) },
      refusals: ["not_found"],
    },
  ],
};
