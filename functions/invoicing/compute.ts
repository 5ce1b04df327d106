import { type Adjustment, type Closed, invoiceId } from "../../shared/billing/invoices/invoice.ts";
import { type Evidence, type InvoiceDocument, makeDocument } from "../../shared/billing/invoices/invoice-document.ts";
import { prepaidLine } from "../../shared/billing/invoices/prepaid-line.ts";
import type { Replacement } from "../../shared/billing/invoices/replacement.ts";
import { createSealsDigest } from "../../shared/billing/invoices/seals-digest.ts";
import type { Seller } from "../../shared/billing/invoices/seller.ts";
import { rangeOfMonth } from "../../shared/billing/month.ts";
import { readBook } from "../../shared/billing/prices/read-book.ts";
import type { Tenant } from "../../shared/tenants/tenant.ts";
import type { InvoicingDeps } from "./deps.ts";
import { rateMonth } from "./rate-month.ts";

export type Bill = {
  readonly tenant: Tenant;
  /** The tenant was closed before the month began: nothing is due in it but what was used. */
  readonly isOver?: boolean;
  readonly month: string;
  readonly adjustments: readonly Adjustment[];
  readonly closed: Closed;
  readonly replacement?: Replacement;
};

/**
 * What a tenant's month comes to, as far as it is sealed; undefined if it has no price book, or nothing was used and corrected. Somebody waits for a
 * replacement, so it is made even of nothing.
 */
export async function compute(
  deps: InvoicingDeps,
  { tenant, isOver = false, month, adjustments, closed, replacement }: Bill,
  final?: { readonly seller: Seller },
): Promise<InvoiceDocument | undefined> {
  const { billing } = tenant;
  if (billing === undefined) return undefined;
  const book = await readBook(deps.books, billing.priceBook);
  if (book.length === 0) throw new Error(`the tenant ${tenant.id} has the price book ${billing.priceBook}, which does not exist`);
  const agreed = { discountBps: billing.discountBps, ...(isOver ? { withoutDues: true as const } : {}) };
  const { rated, paid } = await rateMonth(deps, { tenant: tenant.id, month }, { book, ...agreed });
  const isNothing = rated.lines.length === 0 && rated.unpriced.length === 0 && adjustments.length === 0;
  if (isNothing && replacement === undefined) return undefined;
  const { address, taxId, name = tenant.name } = billing;
  const buyer = { tenant: tenant.id, name, ...(address === undefined ? {} : { address }), ...(taxId === undefined ? {} : { taxId }) };
  return makeDocument({
    id: replacement?.id ?? invoiceId(tenant.id, month),
    replaces: replacement?.replaces,
    month,
    seller: final?.seller,
    buyer,
    currency: rated.currency,
    taxRateBps: billing.taxRateBps,
    priceBook: { name: billing.priceBook, revisions: revisionsIn(rated.lines), ...agreed },
    lines: [...rated.lines, ...prepaidLine({ paid, month: rated })],
    adjustments,
    unpriced: rated.unpriced,
    closed,
    evidence: final === undefined ? null : await evidenceOf(deps, { tenant: tenant.id, month, closed }),
  });
}

function revisionsIn(lines: readonly { readonly priceVersion: number }[]): number[] {
  return [...new Set(lines.map(({ priceVersion }) => priceVersion))].filter((revision) => revision > 0).sort((a, b) => a - b);
}

async function evidenceOf({ seals }: InvoicingDeps, of: { tenant: string; month: string; closed: Closed }): Promise<Evidence> {
  const digest = createSealsDigest();
  for await (const bucket of seals.ofTenant(of.tenant, rangeOfMonth(of.month))) digest.add(bucket);
  return { ...of.closed, ...digest.finish() };
}
