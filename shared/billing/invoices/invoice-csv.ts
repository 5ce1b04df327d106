import { stringify } from "csv-stringify/sync";
import { printMinor } from "../money.ts";
import type { CreditDocument } from "./credit-document.ts";
import type { DocumentLine, InvoiceDocument } from "./invoice-document.ts";

/** The columns of an invoice's CSV, in their order; new ones are added at the end. */
const COLUMNS = [
  "kind",
  "invoice",
  "month",
  "currency",
  "component",
  "model",
  "version",
  "arm",
  "tier",
  "price_version",
  "quantity",
  "unit",
  "note",
  "tax_rate_bps",
  "amount",
  "amount_minor",
  "amount_pico",
  "replaces",
  "tax_minor",
] as const;

type Cells = Partial<Record<(typeof COLUMNS)[number], string | number | bigint | null>>;

/** An amount is a number, whatever sign it begins with; texts that begin like a formula get an apostrophe before them. */
const amount = (minor: bigint, currency: string) => new Decimal(printMinor(minor, currency));

class Decimal {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** One row per line, then one per tax rate, then the total. */
export function invoiceCsv(document: InvoiceDocument): string {
  const { id, name, month, currency, taxes, totals, replaces } = document;
  const head = { invoice: name ?? id, month, currency, ...(replaces === undefined ? {} : { replaces: replaces.name }) };
  const money = (minor: string) => ({ amount: amount(BigInt(minor), currency), amount_minor: BigInt(minor) });
  return write([
    ...document.lines.map((line) => ({ kind: "line", ...head, ...cellsOf(line), ...money(line.amountMinor) })),
    ...taxes.map(({ rateBps, taxMinor }) => ({ kind: "tax", ...head, tax_rate_bps: rateBps, ...money(taxMinor) })),
    { kind: "total", ...head, ...money(totals.totalMinor) },
  ]);
}

/** A credit note as one row, below zero as accounts take it, with what of it is tax. */
export function creditCsv({ name, invoice, currency, reason, taxRateBps, taxMinor, totalMinor, issuedAt }: CreditDocument): string {
  const minor = -BigInt(totalMinor);
  const head = { kind: "credit", invoice: name, month: issuedAt.slice(0, 7), currency, note: `${invoice.name}: ${reason}` };
  const tax = { ...(taxRateBps === undefined ? {} : { tax_rate_bps: taxRateBps }), tax_minor: -BigInt(taxMinor) };
  return write([{ ...head, ...tax, amount: amount(minor, currency), amount_minor: minor }]);
}

function cellsOf(line: DocumentLine): Cells {
  return {
    component: line.component,
    model: line.model,
    version: line.version,
    arm: line.arm,
    tier: line.tier,
    price_version: line.priceVersion,
    quantity: BigInt(line.quantity),
    unit: line.unit,
    note: line.note,
    tax_rate_bps: line.taxRateBps,
    amount_pico: BigInt(line.amountPico),
  };
}

function write(rows: readonly object[]): string {
  return stringify([...rows], {
    columns: [...COLUMNS],
    header: true,
    escape_formulas: true,
    record_delimiter: "windows", // RFC 4180
    cast: {
      object: (value) => (value instanceof Decimal ? { value: value.text, escape_formulas: false } : String(value)),
    },
  });
}
