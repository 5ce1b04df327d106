import * as z from "zod";
import { RevisionStamp } from "../../base/revision.ts";
import { Credit, StoredDocuments } from "./invoice.ts";

const Stamped = { revision: RevisionStamp };

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

/** The group that lists credit notes, by the month in which they were asked for. */
export function creditNoteGroupOf(month: string): string {
  return `credit-notes#${month}`;
}

/** A credit note as the APIs show it; its documents exist once it is `issued`. */
export const CreditNoteRevision = z
  .discriminatedUnion("state", [
    CreditNote.options[0].extend(Stamped),
    CreditNote.options[1].extend(Stamped),
    CreditNote.options[2].extend(Stamped),
    CreditNote.options[3].extend(Stamped),
  ])
  .meta({ id: "CreditNote" });
export type CreditNoteRevision = z.infer<typeof CreditNoteRevision>;
