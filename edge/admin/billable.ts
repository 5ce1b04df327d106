import { Failure } from "../../shared/base/failure.ts";
import { monthAt, rangeOfMonth } from "../../shared/billing/month.ts";
import type { PriceRevision } from "../../shared/billing/prices/price-book.ts";
import { effectiveMs } from "../../shared/billing/prices/price-plan.ts";
import { type PriceHistory, readBook } from "../../shared/billing/prices/read-book.ts";
import type { TenantBilling } from "../../shared/billing/tenant-billing.ts";
import type { Deps } from "../deps.ts";
import { whyNotPrepaid } from "./prepaid-books.ts";

export type BillableDeps = Pick<Deps, "clock"> & { readonly control: Pick<Deps["control"], "prices"> };

const FIELD = "billing.priceBook";

/** A tenant's book exists, prices each request by itself if the tenant pays before, and leaves nothing without a price that the book before it would have priced. */
export async function assertBillable(deps: BillableDeps, billing: TenantBilling, before?: TenantBilling): Promise<void> {
  // What is in force now, and what is to come: a book whose newest prices are plain may still charge by others until then.
  const revisions = await readBook(deps.control.prices, billing.priceBook, deps.clock.nowMs());
  if (revisions.length === 0) throw refused(`there is no price book '${billing.priceBook}'`);
  const charging = revisions.filter((each, place) => !isCorrected(each, revisions[place + 1]));
  const unfit = billing.isPrepaid ? charging.map(({ body }) => whyNotPrepaid(body)).find((why) => why !== undefined) : undefined;
  if (unfit !== undefined) throw refused(unfit);
  if (billing.isPrepaid && billing.discountBps !== 0) {
    const message = "billing.discountBps: a prepaid tenant's discount is a larger grant";
    throw new Failure("invalid_request", message, { field: "billing.discountBps" });
  }
  if (before !== undefined && before.priceBook !== billing.priceBook) await assertReplaces(deps, before.priceBook, billing.priceBook);
}

/** One that begins when the next does prices nothing. */
function isCorrected(revision: PriceRevision, next: PriceRevision | undefined): boolean {
  return next !== undefined && effectiveMs(next) <= effectiveMs(revision);
}

/** Invoices and the balance stay in their currency, and no use of the running month becomes free. */
async function assertReplaces({ clock, control: { prices } }: BillableDeps, before: string, next: string): Promise<void> {
  const [old, book] = await Promise.all([before, next].map(async (name) => (await prices.current(name))?.body));
  if (old !== undefined && old.currency !== book?.currency)
    throw refused(`is in ${book?.currency}, and this tenant is billed in ${old.currency}`);
  const begins = await beginsTooLate(prices, { month: monthAt(clock.nowMs()), next, before: async () => before });
  if (begins !== undefined)
    throw refused(`begins at ${begins}, and what was used in this month before would be free: change in a month that it prices as a whole`);
}

type Change = {
  readonly month: string;
  readonly next: string;
  /** The book so far; looked up if it matters. */
  readonly before: () => Promise<string>;
};

/**
 * When a book begins that is to price a month in place of another one, if that leaves without a price what the other one priced: rows from before a book's first hour
 * are free.
 */
export async function beginsTooLate(prices: PriceHistory, { month, next, before }: Change): Promise<string | undefined> {
  const { fromMs } = rangeOfMonth(month);
  const [first] = await readBook(prices, next, fromMs);
  if (first === undefined || effectiveMs(first) <= fromMs) return undefined;
  const [old] = await readBook(prices, await before(), fromMs);
  return old !== undefined && effectiveMs(old) < effectiveMs(first) ? first.body.effectiveFrom : undefined;
}

function refused(why: string): Failure {
  return new Failure("invalid_request", `${FIELD}: ${why}`, { field: FIELD });
}
