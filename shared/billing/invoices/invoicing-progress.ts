import * as z from "zod";
import { Month } from "../month.ts";

/**
 * How far the invoicing function has come. A hint for its next round and no truth about money: written without a condition, and when it is lost
 * or set back, invoices that are issued already are passed over.
 */
export const InvoicingProgress = z.object({
  /** Every tenant's invoice of this month and of those before it is issued, or there is none to issue. */
  doneThrough: Month,
  /** Where a round ended that had more to do: the month, the next page of tenants if that is not the first, and whether all before it were done. */
  at: z.object({ month: Month, cursor: z.string().exactOptional(), isDone: z.boolean() }).exactOptional(),
  /** What people did to invoices before this instant has been told to webhooks. */
  toldThrough: z.iso.datetime().exactOptional(),
});
export type InvoicingProgress = z.infer<typeof InvoicingProgress>;

export type InvoicingProgressStore = {
  readonly read: () => Promise<InvoicingProgress | undefined>;
  readonly write: (progress: InvoicingProgress) => Promise<void>;
};
