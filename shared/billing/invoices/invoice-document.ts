import * as z from "zod";
import { Tier } from "../../usage/row.ts";
import { Address, TaxId } from "../address.ts";
import { Currency, minorDigitsOf } from "../currency.ts";
import { COMPONENTS, type Line } from "../line.ts";
import { picoOfMinor, roundDivide } from "../money.ts";
import { Month, rangeOfMonth } from "../month.ts";
import { type Adjustment, Closed, Minor, OtherInvoice, Totals } from "./invoice.ts";
import { Seller } from "./seller.ts";

const Whole = z.string().regex(/^(0|-?[1-9][0-9]*)$/, "a whole number, as text");

/** A line as documents hold it: whole numbers are texts, because JSON's end at 2^53. */
export const DocumentLine = z
  .object({
    component: z.enum(COMPONENTS),
    model: z.string().nullable(),
    version: z.int().nullable(),
    arm: z.string().nullable(),
    tier: Tier.nullable(),
    priceVersion: z.int(),
    quantity: Whole,
    unit: z.string(),
    note: z.string(),
    /** 1e-12 of the currency's major unit, before it was rounded. */
    amountPico: Whole,
    amountMinor: Minor,
    taxRateBps: z.int(),
    /** Who made an adjustment, and when. */
    adjustment: z.object({ id: z.string(), by: z.string(), at: z.iso.datetime() }).exactOptional(),
  })
  .meta({ id: "InvoiceLine" });
export type DocumentLine = z.infer<typeof DocumentLine>;

export const TaxLine = z.object({ rateBps: z.int(), netMinor: Minor, taxMinor: Minor }).meta({ id: "InvoiceTax" });
export type TaxLine = z.infer<typeof TaxLine>;

const Buyer = z.object({ tenant: z.string(), name: z.string(), address: Address.exactOptional(), taxId: TaxId.exactOptional() });
export type Buyer = z.infer<typeof Buyer>;
/** What of the seller is printed. */
const PrintedSeller = Seller.omit({ paymentTermDays: true, retentionYears: true, invoicePrefix: true, creditPrefix: true });

/** What of the ledger stands behind the figures. */
const Evidence = Closed.extend({
  /** Buckets in which the tenant has rows, how many of them the second reading changed, and the rows. */
  buckets: z.int(),
  revised: z.int(),
  rows: z.int(),
  /** SHA-256 over the texts `<minute>#<shard> <revision> <the tenant's digest>\n` of those buckets, in order. */
  sealsDigest: z.string(),
}).meta({ id: "InvoiceEvidence" });
export type Evidence = z.infer<typeof Evidence>;

export const INVOICE_SCHEMA = "weir-invoice-1";

/** An invoice as it is kept and sent: everything that it says, and with the export everything that it follows from. */
export const InvoiceDocument = z
  .object({
    schema: z.literal(INVOICE_SCHEMA),
    id: z.string(),
    /** Null until it is issued. */
    name: z.string().nullable(),
    issuedAt: z.iso.datetime().nullable(),
    /** The invoice that was taken back, in whose place this one stands. */
    replaces: OtherInvoice.exactOptional(),
    dueAt: z.iso.datetime().nullable(),
    seller: PrintedSeller.nullable(),
    buyer: Buyer,
    month: Month,
    period: z.object({ from: z.iso.datetime(), to: z.iso.datetime() }),
    currency: Currency,
    minorDigits: z.int(),
    priceBook: z.object({
      name: z.string(),
      revisions: z.array(z.int()).readonly(),
      discountBps: z.int(),
      /** The tenant was closed before the month began: neither reserved rates nor a commitment are due. */
      withoutDues: z.literal(true).exactOptional(),
    }),
    lines: z.array(DocumentLine).readonly(),
    /** Requests that no price covers: they cost nothing, and do not go unseen. */
    unpriced: z.array(z.object({ model: z.string(), version: z.int(), requests: Whole })).readonly(),
    taxes: z.array(TaxLine).readonly(),
    totals: Totals,
    /** Null in a draft, whose seals are still being written. */
    evidence: Evidence.nullable(),
    closed: Closed,
    rounding: z.string(),
  })
  .meta({ id: "InvoiceDocument" });
export type InvoiceDocument = z.infer<typeof InvoiceDocument>;

export const ROUNDING =
  "Each line is exact in 1e-12 of the currency and rounded once, half away from zero, to its minor unit; " +
  "the tax of a rate is taken of the sum of its rounded lines and rounded once in the same way; the total is the sum of lines and taxes.";

export type Draft = {
  readonly id: string;
  readonly replaces?: OtherInvoice | undefined;
  readonly month: Month;
  readonly seller: Seller | undefined;
  readonly buyer: Buyer;
  readonly currency: Currency;
  readonly taxRateBps: number;
  readonly priceBook: InvoiceDocument["priceBook"];
  readonly lines: readonly Line[];
  readonly adjustments: readonly Adjustment[];
  readonly unpriced: readonly { readonly model: string; readonly version: number; readonly requests: bigint }[];
  readonly closed: Closed;
  readonly evidence: Evidence | null;
};

/** Puts a document together: lines, then adjustments, then taxes and totals that follow from them. */
export function makeDocument(draft: Draft): InvoiceDocument {
  const { id, replaces, month, buyer, currency, taxRateBps, priceBook, closed, evidence } = draft;
  const lines = [
    ...draft.lines.map((line) => documentLine(line, taxRateBps)),
    ...draft.adjustments.map((adjustment) => adjustmentLine(adjustment, currency, taxRateBps)),
  ];
  const taxes = taxesOf(lines);
  const { fromMs, toMs } = rangeOfMonth(month);
  return {
    schema: INVOICE_SCHEMA,
    id,
    name: null,
    issuedAt: null,
    ...(replaces === undefined ? {} : { replaces }),
    dueAt: null,
    seller: draft.seller === undefined ? null : PrintedSeller.parse(draft.seller),
    buyer,
    month,
    period: { from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString() },
    currency,
    minorDigits: minorDigitsOf(currency),
    priceBook,
    lines,
    unpriced: draft.unpriced.map((each) => ({ ...each, requests: `${each.requests}` })),
    taxes,
    totals: totalsOf(lines, taxes),
    evidence,
    closed,
    rounding: ROUNDING,
  };
}

/** One tax line per rate, by rising rate: rounded once, on the sum of its lines. A rate of nothing has a line too, as invoices want it. */
export function taxesOf(lines: readonly Pick<DocumentLine, "amountMinor" | "taxRateBps">[]): TaxLine[] {
  const byRate = Map.groupBy(lines, ({ taxRateBps }) => taxRateBps);
  return [...byRate]
    .sort(([a], [b]) => a - b)
    .map(([rateBps, each]) => {
      const net = sumMinor(each);
      return { rateBps, netMinor: `${net}`, taxMinor: `${roundDivide(net * BigInt(rateBps), 10_000n)}` };
    });
}

export function totalsOf(lines: readonly Pick<DocumentLine, "amountMinor">[], taxes: readonly TaxLine[]): Totals {
  const net = sumMinor(lines);
  const tax = taxes.reduce((sum, { taxMinor }) => sum + BigInt(taxMinor), 0n);
  return { netMinor: `${net}`, taxMinor: `${tax}`, totalMinor: `${net + tax}` };
}

function sumMinor(lines: readonly Pick<DocumentLine, "amountMinor">[]): bigint {
  return lines.reduce((sum, { amountMinor }) => sum + BigInt(amountMinor), 0n);
}

export function documentLine(line: Line, taxRateBps: number): DocumentLine {
  const { quantity, amountPico, amountMinor, ...rest } = line;
  return { ...rest, quantity: `${quantity}`, amountPico: `${amountPico}`, amountMinor: `${amountMinor}`, taxRateBps };
}

export function adjustmentLine({ id, amountMinor, reason, by, at }: Adjustment, currency: Currency, taxRateBps: number): DocumentLine {
  return {
    component: "adjustment",
    model: null,
    version: null,
    arm: null,
    tier: null,
    priceVersion: 0,
    quantity: "1",
    unit: "adjustment",
    note: reason,
    amountPico: `${picoOfMinor(BigInt(amountMinor), currency)}`,
    amountMinor,
    taxRateBps,
    adjustment: { id, by, at },
  };
}
