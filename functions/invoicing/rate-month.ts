import { acceptedAtMsOf } from "../../shared/base/id.ts";
import { eachItem } from "../../shared/base/page.ts";
import { rangeOfMonth } from "../../shared/billing/month.ts";
import type { PriceBook, PriceRevision } from "../../shared/billing/price-book.ts";
import { createRater, needsRows, type Rated, type Rater } from "../../shared/billing/rating.ts";
import type { RevisionLog } from "../../shared/dynamo/revision-log.ts";
import { startOf } from "../../shared/usage/period.ts";
import type { InvoicingDeps } from "./deps.ts";

/** A month of one tenant, as far as it is sealed: from its hours' totals, or row by row where the book wants that. Memory does not grow with the rows. */
export async function rateMonth(
  deps: Pick<InvoicingDeps, "totals" | "rows">,
  usage: { readonly tenant: string; readonly month: string },
  pricing: { readonly book: readonly PriceRevision[]; readonly discountBps: number },
): Promise<Rated> {
  const { tenant, month } = usage;
  const rater = createRater(pricing.book, { month, discountBps: pricing.discountBps });
  if (needsRows(pricing.book, month)) await addRows(deps, rater, usage);
  else {
    for await (const { period, sums, seconds } of deps.totals.totals(tenant, "hour", rangeOfMonth(month))) {
      const hourMs = startOf(period.name);
      for (const sum of sums) rater.addSum({ ...sum, hourMs });
      for (const { model, histogram } of seconds) rater.addHistogram({ model, hourMs, seconds: histogram });
    }
  }
  return rater.finish();
}

async function addRows({ rows }: Pick<InvoicingDeps, "rows">, rater: Rater, { tenant, month }: { tenant: string; month: string }) {
  for await (const row of rows.rows(tenant, rangeOfMonth(month))) rater.add({ ...row, acceptedAtMs: acceptedAtMsOf(row.requestId) });
}

/** A book's revisions in their order; none if there is no such book. */
export async function revisionsOf(books: RevisionLog<PriceBook>, name: string): Promise<readonly PriceRevision[]> {
  const revisions: PriceRevision[] = [];
  for await (const { revision, body } of eachItem((page) => books.history(name, page))) revisions.push({ revision, body });
  return revisions.reverse();
}
