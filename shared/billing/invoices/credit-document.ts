import * as z from "zod";
import { Currency, minorDigitsOf } from "../currency.ts";
import { type Credit, Minor } from "./invoice.ts";
import { InvoiceDocument } from "./invoice-document.ts";

export const CREDIT_SCHEMA = "weir-credit-note-1";

/** A credit note as it is kept and sent: what of which invoice is given back. Amounts are what the tenant gets, so above zero. */
export const CreditDocument = z
  .object({
    schema: z.literal(CREDIT_SCHEMA),
    id: z.string(),
    name: z.string(),
    issuedAt: z.iso.datetime(),
    invoice: z.object({ id: z.string(), name: z.string(), issuedAt: z.iso.datetime() }),
    seller: InvoiceDocument.shape.seller,
    buyer: InvoiceDocument.shape.buyer,
    currency: Currency,
    minorDigits: z.int(),
    reason: z.string(),
    netMinor: Minor,
    /** Absent where the invoice taxes at several rates, or none, and on notes from before it was said. */
    taxRateBps: z.int().min(0).exactOptional(),
    taxMinor: Minor,
    totalMinor: Minor,
  })
  .meta({ id: "CreditDocument" });
export type CreditDocument = z.infer<typeof CreditDocument>;

/** Who sells and who buys is what the invoice says: a credit note goes to whoever was billed. */
export function makeCreditDocument(
  invoice: InvoiceDocument,
  { reason, amountMinor, taxMinor }: Credit,
  note: { readonly id: string; readonly name: string; readonly issuedAt: string },
): CreditDocument {
  const { name, issuedAt } = invoice;
  const [tax, ...others] = invoice.taxes;
  if (name === null || issuedAt === null) throw new Error(`the invoice ${invoice.id} has a credit note and no number`);
  return {
    schema: CREDIT_SCHEMA,
    ...note,
    invoice: { id: invoice.id, name, issuedAt },
    seller: invoice.seller,
    buyer: invoice.buyer,
    currency: invoice.currency,
    minorDigits: minorDigitsOf(invoice.currency),
    reason,
    netMinor: `${BigInt(amountMinor) - BigInt(taxMinor)}`,
    ...(tax === undefined || others.length > 0 ? {} : { taxRateBps: tax.rateBps }),
    taxMinor,
    totalMinor: amountMinor,
  };
}
