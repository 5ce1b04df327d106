import { eachItem } from "../../shared/base/page.ts";
import { isIssued, partsOfInvoiceId } from "../../shared/billing/invoices/invoice.ts";
import { linkReplacement } from "../../shared/billing/invoices/replace-invoice.ts";
import { type Replacement, replacementGroupOf } from "../../shared/billing/invoices/replacement.ts";
import { rangeOfMonth } from "../../shared/billing/month.ts";
import type { Revision } from "../../shared/dynamo/revision-log.ts";
import { isolated } from "../../shared/schedule/isolated.ts";
import { billMonth } from "./bill-month.ts";
import { changeAt, type InvoicingDeps } from "./deps.ts";
import { wasClosedBefore } from "./terms.ts";

type Call = { readonly nowMs: number; readonly signal: AbortSignal };

/** Makes the invoices that were asked for in a month in place of others that were taken back; answers whether none of them is left to make. */
export async function settleReplacements(deps: InvoicingDeps, month: string, { nowMs, signal }: Call): Promise<boolean> {
  let isDone = true;
  for await (const replacement of eachItem((page) => deps.replacements.list(replacementGroupOf(month), page))) {
    if (replacement.body.state === "issued") continue;
    if (signal.aborted) return false;
    isDone = (await replace(deps, replacement, nowMs)) && isDone;
  }
  return isDone;
}

/** Whether it is made; a draft that cannot be issued says why. */
async function replace(deps: InvoicingDeps, replacement: Revision<Replacement>, nowMs: number): Promise<boolean> {
  const { body } = replacement;
  const trouble = { message: "an invoice could not be replaced", of: { invoice: body.replaces.id } };
  const isReplaced = await isolated(deps.log, trouble, async () => {
    const outcome = await bill(deps, body, nowMs);
    if (outcome !== "issued" && outcome !== "done") return false;
    if (!(await isMade(deps, body))) return true; // and never will be: its tenant is erased
    await linkReplacement(deps, replacement, changeAt(nowMs, `replaced by ${body.id}`));
    return true;
  });
  return isReplaced ?? false;
}

async function isMade({ invoices }: InvoicingDeps, { id }: Replacement): Promise<boolean> {
  const made = (await invoices.current(id))?.body;
  return made !== undefined && isIssued(made);
}

async function bill(deps: InvoicingDeps, replacement: Replacement, nowMs: number) {
  const parts = partsOfInvoiceId(replacement.id);
  const tenant = parts && (await deps.tenants.current(parts.tenant));
  if (parts === undefined || tenant === undefined) throw new Error(`the replacement ${replacement.id} is nobody's`);
  const closed = await deps.seals.completeness(rangeOfMonth(parts.month));
  const isOver = await wasClosedBefore(deps, tenant, parts.month);
  return billMonth(deps, { tenant: tenant.body, isOver, month: parts.month, closed, nowMs, replacement });
}
