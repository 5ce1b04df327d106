import * as z from "zod";
import { Failure } from "../../base/failure.ts";
import { RevisionStamp } from "../../base/revision.ts";
import { Month } from "../month.ts";
import { ADJUSTMENTS_MAX, Adjustment, invoiceId, NewAdjustment, OtherInvoice, partsOfInvoiceId } from "./invoice.ts";

/** Invoices that a month may have, one after the other. */
export const INVOICES_PER_MONTH_MAX = 99;

const Head = z.object({
  /** The new invoice's: there is one for each that was taken back, so two who ask at once ask for the same. */
  id: z.string(),
  replaces: OtherInvoice,
  /** The month in which it was asked for; the invoicing function finds it by that. */
  askedIn: Month,
  reason: z.string(),
  by: z.string(),
  at: z.iso.datetime(),
  /** What the new invoice begins with: the old one's, or those that were given in their place. */
  adjustments: z.array(Adjustment).max(ADJUSTMENTS_MAX).readonly(),
});

/**
 * A month that is to be invoiced again since its invoice was taken back, as its log holds it. The new invoice is computed by the terms and the seller's details of the day
 * and over the same seals; once it has its number it is `issued`, and the old one says so, too.
 */
export const Replacement = z.discriminatedUnion("state", [
  Head.extend({ state: z.literal("asked") }),
  Head.extend({ state: z.literal("issued"), issued: OtherInvoice }),
]);
export type Replacement = z.infer<typeof Replacement>;

const Stamped = { revision: RevisionStamp };
export const ReplacementRevision = z
  .discriminatedUnion("state", [Replacement.options[0].extend(Stamped), Replacement.options[1].extend(Stamped)])
  .meta({ id: "InvoiceReplacement" });
export type ReplacementRevision = z.infer<typeof ReplacementRevision>;

export const NewReplacement = z.strictObject({
  reason: z.string().min(1).max(500),
  adjustments: z
    .array(NewAdjustment)
    .max(ADJUSTMENTS_MAX)
    .refine((each) => new Set(each.map(({ id }) => id)).size === each.length, "each id may appear once")
    .optional()
    .meta({ description: "In place of the old invoice's; an empty list for none" }),
});
export type NewReplacement = z.infer<typeof NewReplacement>;

/** The id of the invoice that comes after one: `acme-2026-11`, `acme-2026-11-r2`, `acme-2026-11-r3`… */
export function replacementIdOf(id: string): string {
  const parts = partsOfInvoiceId(id);
  if (parts === undefined) throw new Error(`'${id}' is not an invoice's id`);
  const { tenant, month, place } = parts;
  if (place < INVOICES_PER_MONTH_MAX) return `${invoiceId(tenant, month)}-r${place + 1}`;
  throw new Failure("conflict", `The month ${month} of ${tenant} has had ${INVOICES_PER_MONTH_MAX} invoices, which is the most.`);
}

/** The group that lists replacements, by the month in which they were asked for. */
export function replacementGroupOf(month: Month): string {
  return `replacements#${month}`;
}
