import { Failure } from "../../shared/base/failure.ts";
import { monthAt, rangeOfMonth } from "../../shared/billing/month.ts";
import type { PriceRevision } from "../../shared/billing/prices/price-book.ts";
import { effectiveMs } from "../../shared/billing/prices/price-plan.ts";
import { readBook } from "../../shared/billing/prices/read-book.ts";
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

/**
 * Invoices and the balance stay in their currency. And since the book that a tenant has when a month ends prices all of it, what was used before that book's first
 * hour would be free.
 */
async function assertReplaces({ clock, control: { prices } }: BillableDeps, before: string, next: string): Promise<void> {
  const { fromMs } = rangeOfMonth(monthAt(clock.nowMs()));
  const [old] = await readBook(prices, before, fromMs);
  const [first] = await readBook(prices, next, fromMs);
  if (old === undefined || first === undefined) return;
  if (old.body.currency !== first.body.currency)
    throw refused(`is in ${first.body.currency}, and this tenant is billed in ${old.body.currency}`);
  if (effectiveMs(first) <= Math.max(fromMs, effectiveMs(old))) return;
  throw refused(
    `begins at ${first.body.effectiveFrom}, and what was used in this month before would be free: change in a month that it prices as a whole`,
  );
}

function refused(why: string): Failure {
  return new Failure("invalid_request", `${FIELD}: ${why}`, { field: FIELD });
}
