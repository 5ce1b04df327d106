import { eachItem } from "../../shared/base/page.ts";
import { type Invoice, invoiceGroupOf, invoiceId, isTakenBack, partsOfInvoiceId } from "../../shared/billing/invoices/invoice.ts";
import { INVOICES_PER_MONTH_MAX, replacementIdOf } from "../../shared/billing/invoices/replacement.ts";
import { SELLER } from "../../shared/billing/invoices/seller.ts";
import { monthAt, rangeOfMonth } from "../../shared/billing/month.ts";
import { type Deletion, QUIET_AFTER_MS, type StepName } from "../../shared/tenants/deletion.ts";
import type { ErasingDeps } from "./erase-deps.ts";

/** After a month's end: rows are read again a day later, and then the month's invoice is issued. */
const INVOICED_AFTER_MS = 3 * 86_400_000;
/** For an invoice that should be there by then: operators may have to help it. What is no invoice after that becomes none. */
const INVOICE_AWAITED_MS = 30 * 86_400_000;

type Work = { readonly deletion: Deletion; readonly nowMs: number };

/** What a step still has to wait for, in words; undefined if it may begin. Every wait ends. */
export async function whyNotYet(deps: ErasingDeps, { deletion, nowMs }: Work, name: StepName): Promise<string | undefined> {
  if (name === "keys" || name === "webhooks") return undefined;
  const quietAtMs = Date.parse(deletion.requestedAt) + QUIET_AFTER_MS;
  if (nowMs < quietAtMs) return "requests that had begun";
  if (name !== "drafts" && name !== "events" && name !== "identity") return undefined;
  const month = monthAt(quietAtMs);
  const dueAtMs = rangeOfMonth(month).toMs + INVOICED_AFTER_MS;
  if (nowMs < dueAtMs) return `the last month's invoice, until ${isoOf(dueAtMs)}`;
  const open = nowMs < dueAtMs + INVOICE_AWAITED_MS ? await openInvoice(deps, deletion.tenant, month) : undefined;
  return open === undefined ? undefined : `the invoice ${open}, which is not issued, until ${isoOf(dueAtMs + INVOICE_AWAITED_MS)}`;
}

/** An invoice that may still be issued. Without a seller none ever is; a frozen one names its buyer already. */
async function openInvoice(deps: ErasingDeps, tenant: string, month: string): Promise<string | undefined> {
  if ((await deps.sellers.current(SELLER)) === undefined) return undefined;
  for await (const { body } of eachItem((page) => deps.invoices.list(invoiceGroupOf(tenant), page))) {
    if (body.state === "draft") return body.id;
    const asked = await askedInPlaceOf(deps, body);
    if (asked !== undefined) return asked;
  }
  const isBilled = (await deps.tenants.current(tenant))?.body.billing !== undefined;
  const last = invoiceId(tenant, month);
  if (!isBilled || (await deps.invoices.current(last)) !== undefined) return undefined;
  const doneThrough = (await deps.progress.read())?.doneThrough;
  return doneThrough === undefined || doneThrough < month ? last : undefined;
}

/** What was asked for before its tenant was deleted and is not made yet: the new invoice names its buyer, too. */
async function askedInPlaceOf({ replacements }: ErasingDeps, invoice: Invoice): Promise<string | undefined> {
  const place = partsOfInvoiceId(invoice.id)?.place ?? INVOICES_PER_MONTH_MAX;
  if (!isTakenBack(invoice) || invoice.replacedBy !== undefined || place >= INVOICES_PER_MONTH_MAX) return undefined;
  const asked = (await replacements.current(replacementIdOf(invoice.id)))?.body;
  return asked?.state === "asked" ? asked.id : undefined;
}

function isoOf(atMs: number): string {
  return new Date(atMs).toISOString();
}
