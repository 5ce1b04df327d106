import * as z from "zod";
import { Failure } from "../../base/failure.ts";
import { RevisionStamp, Why } from "../../base/revision.ts";
import { Tenant } from "../../tenants/tenant.ts";
import { Currency } from "../currency.ts";
import { roundDivide } from "../money.ts";
import { Month } from "../month.ts";

/** An amount in the currency's minor unit, such as cents: a whole number as text, because JSON's numbers end at 2^53. */
export const Minor = z.string().regex(/^(0|-?[1-9][0-9]{0,29})$/, "a whole number of the currency's minor unit, as text");

export const Totals = z.object({ netMinor: Minor, taxMinor: Minor, totalMinor: Minor }).meta({ id: "InvoiceTotals" });
export type Totals = z.infer<typeof Totals>;

/** How much of a month's ledger was closed when a document was made: a number that may still change says so. */
export const Closed = z
  .object({
    /** Buckets (minutes × shards) of the month, those that are sealed, and those that were read again a day later. */
    of: z.int().min(0),
    sealed: z.int().min(0),
    audited: z.int().min(0),
  })
  .meta({ id: "InvoiceCompleteness" });
export type Closed = z.infer<typeof Closed>;

export const ADJUSTMENTS_MAX = 200;
export const CREDITS_MAX = 100;

const AdjustmentId = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, "an id is 1 to 63 of A-Z a-z 0-9 . _ -");

/** A correction by a person: an `ADJ` row of its own, never a change of a usage row, and a line of the invoice. */
export const Adjustment = z
  .object({
    id: AdjustmentId,
    /** Before tax; below zero in the tenant's favour. */
    amountMinor: Minor,
    reason: z.string().min(1).max(500),
    by: z.string(),
    at: z.iso.datetime(),
  })
  .meta({ id: "InvoiceAdjustment" });
export type Adjustment = z.infer<typeof Adjustment>;

/** What of an invoice was given back; its credit note has the same id. The sum is kept here, so that it never exceeds the invoice. */
export const Credit = z
  .object({ id: AdjustmentId, amountMinor: Minor, taxMinor: Minor, reason: z.string(), by: z.string(), at: z.iso.datetime() })
  .meta({ id: "InvoiceCredit" });
export type Credit = z.infer<typeof Credit>;

/** A stored document and what it must hash to. */
export const StoredDocument = z.object({ key: z.string(), sha256: z.string().regex(/^[0-9a-f]{64}$/), bytes: z.int().min(0) });
export type StoredDocument = z.infer<typeof StoredDocument>;

export const FORMATS = ["json", "csv", "pdf"] as const;
export type Format = (typeof FORMATS)[number];
export const StoredDocuments = z.object({ json: StoredDocument, csv: StoredDocument, pdf: StoredDocument });
export type StoredDocuments = z.infer<typeof StoredDocuments>;

const Issue = z.object({
  number: z.int().positive(),
  /** `INV-000017` */
  name: z.string(),
  issuedAt: z.iso.datetime(),
  dueAt: z.iso.datetime(),
  documents: StoredDocuments,
});
export type Issue = z.infer<typeof Issue>;

export const Payment = z.object({ reference: z.string().min(1).max(200), paidAt: z.iso.datetime() });
export type Payment = z.infer<typeof Payment>;

/** Another invoice of the same month, by its id and number. */
export const OtherInvoice = z.object({ id: z.string(), name: z.string(), issuedAt: z.iso.datetime() });
export type OtherInvoice = z.infer<typeof OtherInvoice>;

const Head = z.object({
  /** `acme-2026-11`: one per tenant and month; `acme-2026-11-r2` replaces it once it is taken back. */
  id: z.string(),
  /** The one that was taken back, in whose place this one stands. */
  replaces: OtherInvoice.exactOptional(),
  tenant: Tenant.shape.id,
  month: Month,
  currency: Currency,
  totals: Totals,
  closed: Closed,
  adjustments: z.array(Adjustment).max(ADJUSTMENTS_MAX).readonly(),
});

const Issued = {
  issue: Issue,
  credits: z.array(Credit).max(CREDITS_MAX).readonly(),
  /** What stands in its place, once that is issued. */
  replacedBy: OtherInvoice.exactOptional(),
};

/**
 * An invoice as its log holds it: what may change. What it says lies in its documents, whose digests are here.
 * `draft` is computed anew as rows come; `frozen` has a document that nothing changes any more, and waits for its number; from `issued` on it has one.
 */
export const Invoice = z.discriminatedUnion("state", [
  Head.extend({ state: z.literal("draft"), document: StoredDocument, madeAt: z.iso.datetime(), problem: z.string().optional() }),
  Head.extend({
    state: z.literal("frozen"),
    document: StoredDocument,
    madeAt: z.iso.datetime(),
    /** The seller's, as they were then: a number is given without asking anybody again. */
    prefix: z.string(),
    paymentTermDays: z.int(),
  }),
  Head.extend({ state: z.literal("issued"), ...Issued }),
  Head.extend({ state: z.literal("paid"), ...Issued, payment: Payment }),
  Head.extend({
    state: z.literal("void"),
    ...Issued,
    voided: z.object({ reason: z.string(), at: z.iso.datetime() }),
  }),
]);
export type Invoice = z.infer<typeof Invoice>;
export type InvoiceIn<State extends Invoice["state"]> = Extract<Invoice, { state: State }>;
export type IssuedInvoice = InvoiceIn<"issued" | "paid" | "void">;

const Stamped = { revision: RevisionStamp };
/** An invoice as the APIs show it; `leftMinor` is what credit notes may still give back. */
export const InvoiceRevision = z
  .discriminatedUnion("state", [
    Invoice.options[0].extend(Stamped),
    Invoice.options[1].extend(Stamped),
    Invoice.options[2].extend({ ...Stamped, leftMinor: Minor }),
    Invoice.options[3].extend({ ...Stamped, leftMinor: Minor }),
    Invoice.options[4].extend({ ...Stamped, leftMinor: Minor }),
  ])
  .meta({ id: "Invoice" });
export type InvoiceRevision = z.infer<typeof InvoiceRevision>;

export const NewAdjustment = z.strictObject({
  id: AdjustmentId,
  amountMinor: Minor.refine((amount) => amount !== "0", "an adjustment of nothing is none"),
  reason: Adjustment.shape.reason,
});
export type NewAdjustment = z.infer<typeof NewAdjustment>;

export const NewCredit = z.strictObject({
  id: AdjustmentId,
  /** With its tax; absent, all that is left. */
  amountMinor: Minor.refine((amount) => BigInt(amount) > 0n, "a credit note gives something back").optional(),
  reason: z.string().min(1).max(500),
});
export type NewCredit = z.infer<typeof NewCredit>;

export const NewPayment = z.strictObject({ reference: Payment.shape.reference, paidAt: z.iso.datetime().optional(), why: Why.optional() });
export type NewPayment = z.infer<typeof NewPayment>;

export const Voiding = z.strictObject({ reason: z.string().min(1).max(500) });
export type Voiding = z.infer<typeof Voiding>;

export function invoiceId(tenant: string, month: Month): string {
  return `${tenant}-${month}`;
}

/** The group that lists a tenant's invoices. */
export function invoiceGroupOf(tenant: string): string {
  return `invoices#${tenant}`;
}

/** An id ends with its month, or with that and how many invoices the month has had: so no id can be read in two ways, whatever a tenant's name ends with. */
const INVOICE_ID = /^(.{1,63})-(20[0-9]{2}-(?:0[1-9]|1[0-2]))(?:-r([2-9]|[1-9][0-9]))?$/;

/** The tenant and month that an id is of, and the how manieth of that month it is; undefined for a text that is none. */
export function partsOfInvoiceId(id: string): { tenant: string; month: Month; place: number } | undefined {
  const [, tenant, month, place = "1"] = INVOICE_ID.exec(id) ?? [];
  if (tenant === undefined || month === undefined || !Tenant.shape.id.safeParse(tenant).success) return undefined;
  return { tenant, month, place: Number(place) };
}

/** `INV-000017`; a series of a million and more grows a digit. */
export function numberName(prefix: string, number: number): string {
  return `${prefix}-${String(number).padStart(6, "0")}`;
}

export function isIssued(invoice: Invoice): invoice is IssuedInvoice {
  return invoice.state !== "draft" && invoice.state !== "frozen";
}

/** What credit notes may still give back; nothing of a void invoice. */
export function leftMinorOf(invoice: IssuedInvoice): bigint {
  if (invoice.state === "void") return 0n;
  return invoice.credits.reduce((left, credit) => left - BigInt(credit.amountMinor), BigInt(invoice.totals.totalMinor));
}

/** Whether nothing of it stands any more: void, or, where it was paid or in part credited before, credited as a whole. Then its month may be invoiced anew. */
export function isTakenBack(invoice: Invoice): invoice is IssuedInvoice {
  return isIssued(invoice) && (invoice.state === "void" || (invoice.credits.length > 0 && leftMinorOf(invoice) === 0n));
}

/** A frozen invoice with its number. Its documents say the same. */
export function issue(frozen: InvoiceIn<"frozen">, issued: Issue): IssuedInvoice {
  const { state: _, document: __, madeAt: ___, prefix: ____, paymentTermDays: _____, ...head } = frozen;
  return { ...head, state: "issued", issue: issued, credits: [] };
}

/** Records that it was paid. The same payment twice changes nothing. */
export function pay(invoice: Invoice, payment: Payment): Invoice {
  if (invoice.state === "paid" && invoice.payment.reference === payment.reference) return invoice;
  if (invoice.state !== "issued") throw refused(invoice, "only an issued invoice can be paid");
  return { ...invoice, state: "paid", payment };
}

/** Takes an issued invoice back as a whole; its number stays taken, its documents stay as they are. Voiding twice changes nothing. */
export function voidInvoice(invoice: Invoice, voided: { reason: string; at: string }): Invoice {
  if (invoice.state === "void") return invoice;
  if (invoice.state === "paid")
    throw refused(invoice, "it is paid: give the money back with a credit note; credited as a whole it can be replaced");
  if (invoice.state !== "issued") throw refused(invoice, "only an issued invoice can be voided");
  if (invoice.credits.length > 0) throw refused(invoice, "it has credit notes: credit what is left instead, then it can be replaced");
  return { ...invoice, state: "void", voided };
}

/** Adds a correction to a draft. The same one twice changes nothing; the same id with another content is refused. */
export function adjust(invoice: Invoice, adjustment: Adjustment): Invoice {
  const there = invoice.adjustments.find(({ id }) => id === adjustment.id);
  if (there !== undefined) {
    if (there.amountMinor === adjustment.amountMinor && there.reason === adjustment.reason) return invoice;
    throw new Failure("conflict", `The invoice ${invoice.id} has another adjustment '${adjustment.id}'.`, { field: "id" });
  }
  if (invoice.state !== "draft") throw refused(invoice, "it is no draft any more: adjust the next month's, or make a credit note");
  if (invoice.adjustments.length >= ADJUSTMENTS_MAX) throw refused(invoice, `it has ${ADJUSTMENTS_MAX} adjustments, which is the most`);
  const { problem: _, ...draft } = invoice; // whether it has one still is seen when it is computed with this
  return { ...draft, adjustments: [...invoice.adjustments, adjustment] };
}

/** Gives some of an issued invoice back, never more than what is left of it. The same credit twice changes nothing. */
export function credit(invoice: Invoice, asked: NewCredit, change: { by: string; at: string }): { invoice: Invoice; credit: Credit } {
  if (!isIssued(invoice) || invoice.state === "void") throw refused(invoice, "only an issued or paid invoice can be credited");
  const there = invoice.credits.find(({ id }) => id === asked.id);
  if (there !== undefined) {
    const isSame = there.reason === asked.reason && (asked.amountMinor ?? there.amountMinor) === there.amountMinor;
    if (isSame) return { invoice, credit: there };
    throw new Failure("conflict", `The invoice ${invoice.id} has another credit '${asked.id}'.`, { field: "id" });
  }
  const left = leftMinorOf(invoice);
  const amount = asked.amountMinor === undefined ? left : BigInt(asked.amountMinor);
  if (amount > left || left <= 0n) {
    throw new Failure(
      "conflict",
      `Of the invoice ${invoice.issue.name} ${left} minor units are left, less than what the credit gives back.`,
      {
        field: "amountMinor",
      },
    );
  }
  if (invoice.credits.length >= CREDITS_MAX) throw refused(invoice, `it has ${CREDITS_MAX} credit notes, which is the most`);
  const taxMinor = creditTaxOf(invoice.totals, invoice.credits, amount);
  const made: Credit = { id: asked.id, reason: asked.reason, amountMinor: `${amount}`, taxMinor: `${taxMinor}`, ...change };
  return { invoice: { ...invoice, credits: [...invoice.credits, made] }, credit: made };
}

/**
 * The tax in the next credit: what the tax in all that is given back by then comes to, in proportion and rounded once, without what those before had of it.
 * Were each credit rounded by itself, small ones would have no tax at all, and the one that takes the rest more tax than it gives back.
 */
export function creditTaxOf(totals: Totals, before: readonly Pick<Credit, "amountMinor" | "taxMinor">[], amount: bigint): bigint {
  const given = before.reduce((sum, each) => sum + BigInt(each.amountMinor), amount);
  return before.reduce(
    (rest, each) => rest - BigInt(each.taxMinor),
    roundDivide(given * BigInt(totals.taxMinor), BigInt(totals.totalMinor)),
  );
}

function refused(invoice: Invoice, reason: string): Failure {
  const name = isIssued(invoice) ? invoice.issue.name : invoice.id;
  return new Failure("conflict", `The invoice ${name} is ${invoice.state}: ${reason}.`);
}
