import { unlessConflict } from "../../shared/base/failure.ts";
import type { Adjustment, Closed, Invoice } from "../../shared/billing/invoices/invoice.ts";
import { type InvoiceIn, invoiceId, isIssued, type Totals } from "../../shared/billing/invoices/invoice.ts";
import type { InvoiceDocument } from "../../shared/billing/invoices/invoice-document.ts";
import type { Replacement } from "../../shared/billing/invoices/replacement.ts";
import { SELLER, type Seller } from "../../shared/billing/invoices/seller.ts";
import { rangeOfMonth } from "../../shared/billing/month.ts";
import type { Revision } from "../../shared/dynamo/revision-log.ts";
import { isScrubbed } from "../../shared/tenants/scrub.ts";
import type { Tenant } from "../../shared/tenants/tenant.ts";
import { DAY_MS, HOUR_MS } from "../../shared/usage/period.ts";
import { compute } from "./compute.ts";
import { changeAt, type InvoicingDeps } from "./deps.ts";
import { putDraft, putFrozen } from "./documents.ts";
import { numberInvoice } from "./issue.ts";

/** How old a draft may get before it is computed anew: each time costs a month's totals. */
export const DRAFT_FRESH_MS = 6 * HOUR_MS;
/** A bucket is read again a day after it was over; before that no month is audited. */
const AUDIT_AFTER_MS = DAY_MS;
const NO_SELLER = "The seller's details are not set.";

/** `done`: issued, or nothing to issue. `kept` and `drafted`: a draft, as it was or made anew. */
export type Outcome = "done" | "kept" | "drafted" | "issued";

export type Asked = {
  readonly tenant: Tenant;
  /** The tenant was closed before the month began. */
  readonly isOver?: boolean;
  readonly month: string;
  readonly closed: Closed;
  readonly nowMs: number;
  /** Where the month's invoice was taken back and another one is to take its place. */
  readonly replacement?: Replacement;
};

/** Brings a tenant's month as far as it can come now. May run twice at once and be killed anywhere: each step is one conditional write. */
export async function billMonth(deps: InvoicingDeps, asked: Asked): Promise<Outcome> {
  const { tenant, month, nowMs, replacement } = asked;
  const current = await deps.invoices.current(replacement?.id ?? invoiceId(tenant.id, month));
  if (current !== undefined && isIssued(current.body)) return "done";
  if (current?.body.state === "frozen") return number(deps, current.body.id, nowMs);
  // It was waited for long enough: an invoice to nobody is none.
  if (isScrubbed(tenant)) return "done";
  const isFinal = isAudited(asked);
  if (current !== undefined && !isFinal && isFresh(current, nowMs)) return "kept";
  return isFinal ? finish(deps, asked, current) : draft(deps, asked, current);
}

/** Whether a month is over, sealed and read again: only then it is issued. */
export function isAudited({ month, closed, nowMs }: Pick<Asked, "month" | "closed" | "nowMs">): boolean {
  return nowMs >= rangeOfMonth(month).toMs + AUDIT_AFTER_MS && closed.audited === closed.of;
}

/** Whoever has corrected a draft since it was computed would see totals that do not know of it. */
function isFresh({ body, at }: Revision<Invoice>, nowMs: number): boolean {
  return body.state === "draft" && nowMs - Date.parse(body.madeAt) < DRAFT_FRESH_MS && Date.parse(at) <= Date.parse(body.madeAt);
}

async function draft(deps: InvoicingDeps, asked: Asked, current: Revision<Invoice> | undefined): Promise<Outcome> {
  const document = await compute(deps, { ...asked, adjustments: adjustmentsOf(asked, current) });
  if (document === undefined) return "done";
  return keepDraft(deps, asked, { document, current });
}

type Draft = { readonly document: InvoiceDocument; readonly current: Revision<Invoice> | undefined; readonly problem?: string };

/** Written down although it may say what the one before did: when it was made is what keeps the next rounds from computing it. */
async function keepDraft(deps: InvoicingDeps, asked: Asked, { document, current, problem }: Draft): Promise<Outcome> {
  const stored = await putDraft(deps, document);
  const { nowMs } = asked;
  const adjustments = adjustmentsOf(asked, current);
  const madeAt = new Date(nowMs).toISOString();
  const body: Invoice = {
    state: "draft",
    ...headOf(document),
    adjustments,
    document: stored,
    madeAt,
    ...(problem === undefined ? {} : { problem }),
  };
  return (await append(deps, current, { body, nowMs, why: "computed" })) ? "drafted" : "kept";
}

/** Freezes what is audited and gives it a number; what cannot be issued stays a draft that says why. */
async function finish(deps: InvoicingDeps, asked: Asked, current: Revision<Invoice> | undefined): Promise<Outcome> {
  const seller = (await deps.sellers.current(SELLER))?.body;
  if (current?.body.state === "draft" && stillHas(current.body, { seller, nowMs: asked.nowMs })) return "kept";
  const adjustments = adjustmentsOf(asked, current);
  const document = await compute(deps, { ...asked, adjustments }, seller && { seller });
  if (document === undefined) return "done";
  const problem = problemOf(document.totals, seller);
  if (seller === undefined || problem !== undefined)
    return keepDraft(deps, asked, { document, current, ...(problem === undefined ? {} : { problem }) });
  const body: InvoiceIn<"frozen"> = {
    state: "frozen",
    ...headOf(document),
    adjustments,
    document: await putFrozen(deps, document),
    madeAt: new Date(asked.nowMs).toISOString(),
    prefix: seller.invoicePrefix,
    paymentTermDays: seller.paymentTermDays,
  };
  // Somebody who has added an adjustment meanwhile was faster: the next round computes it with that.
  if (!(await append(deps, current, { body, nowMs: asked.nowMs, why: "sealed and audited" }))) return "kept";
  return number(deps, body.id, asked.nowMs);
}

async function number(deps: InvoicingDeps, id: string, nowMs: number): Promise<Outcome> {
  await numberInvoice(deps, id, nowMs);
  return "issued";
}

/** Whether a draft says already why it cannot be issued: computing it anew in each round would cost a month's usage each time. */
function stillHas({ problem, madeAt }: InvoiceIn<"draft">, { seller, nowMs }: { seller: Seller | undefined; nowMs: number }): boolean {
  if (problem === NO_SELLER || problem === undefined) return problem !== undefined && seller === undefined;
  return nowMs - Date.parse(madeAt) < DRAFT_FRESH_MS;
}

function problemOf({ totalMinor }: Totals, seller: Seller | undefined): string | undefined {
  if (seller === undefined) return NO_SELLER;
  if (BigInt(totalMinor) < 0n) return `The total is ${totalMinor} minor units: an invoice is not negative.`;
  return undefined;
}

/** A new invoice begins with those that were asked for; from then on its own log has them. */
function adjustmentsOf({ replacement }: Asked, current: Revision<Invoice> | undefined): readonly Adjustment[] {
  return current?.body.adjustments ?? replacement?.adjustments ?? [];
}

function headOf({ id, replaces, buyer, month, currency, totals, closed }: InvoiceDocument) {
  return { id, ...(replaces === undefined ? {} : { replaces }), tenant: buyer.tenant, month, currency, totals, closed };
}

/** False if somebody else has changed the invoice meanwhile. */
async function append(
  deps: InvoicingDeps,
  current: Revision<Invoice> | undefined,
  { body, nowMs, why }: { body: Invoice; nowMs: number; why: string },
): Promise<boolean> {
  const put = deps.invoices.append(body.id, current?.revision ?? 0, { body, change: changeAt(nowMs, why) });
  return (await unlessConflict(put)) !== undefined;
}
