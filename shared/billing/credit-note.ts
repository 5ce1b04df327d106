import * as z from "zod";
import { Credit, StoredDocuments } from "./invoice.ts";

const Head = z.object({
  /** `acme-2026-11.refund-1`: the invoice and the credit's own id. */
  id: z.string(),
  invoice: z.string(),
  /** The month in which it was asked for; lists and the invoicing function find it by that. */
  askedIn: z.string(),
  ask: Credit.pick({ id: true, reason: true, by: true, at: true }).extend({ amountMinor: z.string().optional() }),
});

/**
 * A credit note as its log holds it. What was `asked` becomes `accepted` when the invoice's own log has it, which is where the sum is kept;
 * it gets its number from the credit notes' own book, and is `refused` if less than it was left.
 */
export const CreditNote = z.discriminatedUnion("state", [
  Head.extend({ state: z.literal("asked") }),
  Head.extend({ state: z.literal("refused"), problem: z.string() }),
  Head.extend({ state: z.literal("accepted"), credit: Credit }),
  Head.extend({
    state: z.literal("issued"),
    credit: Credit,
    number: z.int().positive(),
    name: z.string(),
    issuedAt: z.iso.datetime(),
    documents: StoredDocuments,
  }),
]);
export type CreditNote = z.infer<typeof CreditNote>;

export function creditNoteId(invoice: string, credit: string): string {
  return `${invoice}.${credit}`;
}
