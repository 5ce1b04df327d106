import { Failure } from "../../shared/base/failure.ts";
import { askCredit } from "../../shared/billing/invoices/accept-credit.ts";
import type { CreditNoteRevision } from "../../shared/billing/invoices/credit-note.ts";
import {
  adjust,
  type Invoice,
  type InvoiceRevision,
  NewAdjustment,
  NewCredit,
  NewPayment,
  pay,
  Voiding,
  voidInvoice,
} from "../../shared/billing/invoices/invoice.ts";
import { tellInvoice } from "../../shared/billing/invoices/invoice-events.ts";
import { askReplacement } from "../../shared/billing/invoices/replace-invoice.ts";
import { NewReplacement, type ReplacementRevision } from "../../shared/billing/invoices/replacement.ts";
import type { Change } from "../../shared/dynamo/revision-log.ts";
import type { Deps } from "../deps.ts";
import type { EdgeContext } from "../env.ts";
import { readJson } from "../http.ts";
import { documentOf } from "../own/invoice-prices.ts";
import { creditNoteOf, type InvoiceDeps, invoiceOf, shownInvoice, shownNote } from "../own/invoice-reading.ts";
import { beginsTooLate } from "./billable.ts";
import { changeOf, stamped } from "./change.ts";
import { tenantOf } from "./tenants.ts";

export type InvoiceChangeDeps = InvoiceDeps & Pick<Deps, "events"> & { readonly control: Pick<Deps["control"], "deletions"> };

export async function payInvoice(deps: InvoiceChangeDeps, c: EdgeContext): Promise<InvoiceRevision> {
  const { reference, paidAt, why } = await readJson(c, NewPayment);
  const change = changeOf(c, deps.clock, why);
  const payment = { reference, paidAt: paidAt ?? new Date(change.atMs).toISOString() };
  return changeInvoice(deps, c, { to: (invoice) => pay(invoice, payment), change });
}

export async function takeBack(deps: InvoiceChangeDeps, c: EdgeContext): Promise<InvoiceRevision> {
  const { reason } = await readJson(c, Voiding);
  const change = changeOf(c, deps.clock, reason);
  return changeInvoice(deps, c, { to: (invoice) => voidInvoice(invoice, { reason, at: new Date(change.atMs).toISOString() }), change });
}

export async function adjustInvoice(deps: InvoiceChangeDeps, c: EdgeContext): Promise<InvoiceRevision> {
  const asked = await readJson(c, NewAdjustment);
  const change = changeOf(c, deps.clock, asked.reason);
  const adjustment = { ...asked, by: change.by, at: new Date(change.atMs).toISOString() };
  return changeInvoice(deps, c, { to: (invoice) => adjust(invoice, adjustment), change });
}

export async function creditInvoice(deps: InvoiceDeps, c: EdgeContext): Promise<CreditNoteRevision> {
  const ask = await readJson(c, NewCredit);
  const invoice = await invoiceOf(deps, c.req.param("id") ?? "");
  await askCredit(deps.control, { invoice: invoice.body.id, ask, change: changeOf(c, deps.clock, ask.reason) });
  return shownNote(await creditNoteOf(deps, { invoice: invoice.body.id, credit: ask.id }));
}

/** The tenant's terms of today price the new invoice and its address stands on it, so there have to be some. */
export async function replaceInvoice(deps: InvoiceChangeDeps, c: EdgeContext): Promise<ReplacementRevision> {
  const ask = await readJson(c, NewReplacement);
  const { body: invoice } = await invoiceOf(deps, c.req.param("id") ?? "");
  if ((await deps.control.deletions.current(invoice.tenant)) !== undefined) {
    throw new Failure("conflict", `The tenant ${invoice.tenant} is deleted: its invoices have no name and address any more.`);
  }
  const { billing } = (await tenantOf(deps, invoice.tenant)).body;
  if (billing === undefined) throw new Failure("conflict", `The tenant ${invoice.tenant} has no price book: nothing would be billed.`);
  const begins = await beginsTooLate(deps.control.prices, {
    month: invoice.month,
    next: billing.priceBook,
    before: async () => (await documentOf(deps, invoice)).priceBook.name,
  });
  if (begins !== undefined) {
    const message = `The price book '${billing.priceBook}' begins at ${begins}: what ${invoice.tenant} used before in ${invoice.month} would be free. Bill the tenant by a book that was there.`;
    throw new Failure("conflict", message);
  }
  const asked = await askReplacement(deps.control, { invoice, ask, change: changeOf(c, deps.clock, ask.reason) });
  return stamped(asked.body, asked);
}

/** One conditional write; what changes nothing is not written. Webhooks are told each time, since whoever asks again may not have been heard before. */
async function changeInvoice(
  deps: InvoiceChangeDeps,
  c: EdgeContext,
  { to, change }: { to: (invoice: Invoice) => Invoice; change: Change },
): Promise<InvoiceRevision> {
  const current = await invoiceOf(deps, c.req.param("id") ?? "");
  const body = to(current.body);
  const changed = body === current.body ? current : await deps.control.invoices.append(body.id, current.revision, { body, change });
  await tellInvoice(deps.events, changed);
  return shownInvoice(changed);
}
