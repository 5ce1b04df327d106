import { Failure } from "../../shared/base/failure.ts";
import { type InvoiceRevision, isIssued, partsOfInvoiceId } from "../../shared/billing/invoices/invoice.ts";
import { rangeOfMonth } from "../../shared/billing/month.ts";
import { DAY_MS } from "../../shared/usage/period.ts";
import type { Deps } from "../deps.ts";
import { type InvoiceDeps, invoiceOf, shownInvoice } from "../own/invoice-reading.ts";

/** An invoice comes by itself when its month is audited; asked for before, it is refused with how much is missing, and nothing is begun. */
export async function askIssue(
  deps: InvoiceDeps & Pick<Deps, "sealed">,
  id: string,
): Promise<{ invoice: InvoiceRevision; isIssued: boolean }> {
  const month = partsOfInvoiceId(id)?.month;
  const invoice = await invoiceOf(deps, id);
  if (month === undefined || isIssued(invoice.body)) return { invoice: shownInvoice(invoice), isIssued: true };
  const range = rangeOfMonth(month);
  const { sealed, audited, of } = await deps.sealed.seals.completeness(range);
  if (audited < of || deps.clock.nowMs() < range.toMs + DAY_MS) {
    const figures = `sealed ${grouped(sealed)} of ${grouped(of)}, audited ${grouped(audited)} of ${grouped(of)}`;
    throw new Failure(
      "conflict",
      `The month ${month} cannot be invoiced yet: ${figures} minutes × shards. It is issued by itself a day after its end.`,
    );
  }
  if (invoice.body.state === "draft" && invoice.body.problem !== undefined) throw new Failure("conflict", invoice.body.problem);
  return { invoice: shownInvoice(invoice), isIssued: false };
}

function grouped(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ",");
}
