import { acceptedAtMsOf } from "../../shared/base/id.ts";
import { countedOnly } from "../../shared/billing/invoices/prepaid-line.ts";
import { rangeOfMonth } from "../../shared/billing/month.ts";
import type { PriceRevision } from "../../shared/billing/prices/price-book.ts";
import { createRater, needsRows, type Rated, type Rater, type RatingTerms } from "../../shared/billing/prices/rating.ts";
import { periodAt, startOf } from "../../shared/usage/period.ts";
import type { InvoicingDeps } from "./deps.ts";

export type Month = { readonly tenant: string; readonly month: string };
export type Pricing = { readonly book: readonly PriceRevision[] } & Omit<RatingTerms, "month">;
type Sources = Pick<InvoicingDeps, "totals" | "rows" | "seals">;

/**
 * A month of one tenant, as far as it is sealed: from its hours' totals, or row by row where the book wants that. `paid` is what of it drew from a
 * prepaid balance. Memory does not grow with the rows.
 */
export async function rateMonth(deps: Sources, usage: Month, { book, ...agreed }: Pricing): Promise<{ rated: Rated; paid: Rated }> {
  const terms = { month: usage.month, ...agreed };
  const [rater, paid] = [createRater(book, terms), createRater(countedOnly(book), terms)];
  if (needsRows(book, usage.month)) await addRows(deps, { rater, paid }, usage);
  else {
    await addTotals(deps, rater, usage);
    await addLeases(deps, paid, usage);
  }
  return { rated: rater.finish(), paid: paid.finish() };
}

async function addRows({ rows }: Sources, { rater, paid }: { rater: Rater; paid: Rater }, { tenant, month }: Month) {
  for await (const row of rows.rows(tenant, rangeOfMonth(month))) {
    const rateable = { ...row, acceptedAtMs: acceptedAtMsOf(row.requestId) };
    rater.add(rateable);
    if (row.lease !== undefined) paid.add(rateable);
  }
}

async function addTotals({ totals }: Sources, rater: Rater, { tenant, month }: Month) {
  for await (const { period, sums, seconds } of totals.totals(tenant, "hour", rangeOfMonth(month))) {
    const hourMs = startOf(period.name);
    for (const sum of sums) rater.addSum({ ...sum, hourMs });
    for (const { model, histogram } of seconds) rater.addHistogram({ model, hourMs, seconds: histogram });
  }
}

/** Totals do not tell which sums were prepaid; seals do. */
async function addLeases({ seals }: Sources, paid: Rater, { tenant, month }: Month) {
  for await (const bucket of seals.ofTenant(tenant, rangeOfMonth(month))) {
    const hourMs = startOf(periodAt("hour", startOf(bucket.minute)).name);
    for (const { sums } of bucket.tenant.leases) for (const sum of sums) paid.addSum({ ...sum, hourMs });
  }
}
