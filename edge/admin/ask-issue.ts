import { Failure } from "../../shared/base/failure.ts";
import { type InvoiceRevision, isIssued, partsOfInvoiceId } from "../../shared/billing/invoices/invoice.ts";
import { type Month, rangeOfMonth } from "../../shared/billing/month.ts";
import { DAY_MS } from "../../shared/usage/period.ts";
import type { Deps } from "../deps.ts";
import { type InvoiceDeps, invoiceOf, shownInvoice } from "../own/invoice-reading.ts";

type AskDeps = InvoiceDeps & Pick<Deps, "sealed">;

/** An invoice comes by itself when its month is audited; asked for before, it is refused with how much is missing, and nothing is begun. */
export async function askIssue(deps: AskDeps, id: string): Promise<{ invoice: InvoiceRevision; isIssued: boolean }> {
  const parts = partsOfInvoiceId(id);
  // A running month may have no draft yet: it is refused as one that has.
  if (parts !== undefined && (await isStillToCome(deps, { ...parts, id }))) await assertClosed(deps, parts.month);
  const invoice = await invoiceOf(deps, id);
  if (parts === undefined || isIssued(invoice.body)) return { invoice: shownInvoice(invoice), isIssued: true };
  await assertClosed(deps, parts.month);
  if (invoice.body.state === "draft" && invoice.body.problem !== undefined) throw new Failure("conflict", invoice.body.problem);
  return { invoice: shownInvoice(invoice), isIssued: false };
}

/** Whether somebody who is billed has no invoice, nor a draft, of a month; nobody can ask like this for one in place of another. */
async function isStillToCome({ control }: AskDeps, { id, tenant, place }: { id: string; tenant: string; place: number }): Promise<boolean> {
  if (place !== 1 || (await control.invoices.current(id)) !== undefined) return false;
  return (await control.tenants.current(tenant))?.body.billing !== undefined;
}

async function assertClosed(deps: AskDeps, month: Month): Promise<void> {
  const range = rangeOfMonth(month);
  const { sealed, audited, of } = await deps.sealed.seals.completeness(range);
  if (audited >= of && deps.clock.nowMs() >= range.toMs + DAY_MS) return;
  const figures = `sealed ${grouped(sealed)} of ${grouped(of)}, audited ${grouped(audited)} of ${grouped(of)}`;
  throw new Failure(
    "conflict",
    `The month ${month} cannot be invoiced yet: ${figures} minutes × shards. It is issued by itself a day after its end.`,
  );
}

function grouped(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ",");
}
