import { Failure } from "../../shared/base/failure.ts";
import { eachItem } from "../../shared/base/page.ts";
import { isPathIndependent, type PriceBook } from "../../shared/billing/prices/price-book.ts";
import type { RevisionLog } from "../../shared/dynamo/revision-log.ts";
import { TENANT_GROUP, type Tenant } from "../../shared/tenants/tenant.ts";

/** Why a book cannot price what is paid for before; undefined if it can. What a lease has spent is told from sums of sealed rows alone. */
export function whyNotPrepaid(book: PriceBook): string | undefined {
  if (!isPathIndependent(book)) return "a prepaid tenant needs plain prices: no steps, allowances, rates or commitment";
  const hasMinimum = book.entries.some(({ minimumPerRequest }) => minimumPerRequest !== undefined);
  return hasMinimum ? "a prepaid tenant's prices have no minimum per request: sums of rows cannot tell it" : undefined;
}

/** Refuses a revision of a book that prepaid tenants have and could not be rated by. */
export async function assertFitsPrepaid(tenants: RevisionLog<Tenant>, book: PriceBook): Promise<void> {
  const why = whyNotPrepaid(book);
  if (why === undefined) return;
  for await (const { body } of eachItem((page) => tenants.list(TENANT_GROUP, page))) {
    if (body.billing?.isPrepaid !== true || body.billing.priceBook !== book.name || body.isClosed) continue;
    throw new Failure("conflict", `The tenant '${body.id}' pays from a balance by this book, and ${why}.`, { field: "entries" });
  }
}
