import type { Dynamo } from "../../dynamo/client.ts";
import { createRevisionLog, type RevisionLog } from "../../dynamo/revision-log.ts";
import { CreditNote, creditNoteGroupOf } from "./credit-note.ts";
import { Invoice, invoiceGroupOf } from "./invoice.ts";
import { Replacement, replacementGroupOf } from "./replacement.ts";
import { Seller } from "./seller.ts";

/** Invoices by tenant. */
export function createInvoiceStore(dynamo: Dynamo): RevisionLog<Invoice> {
  return createRevisionLog(dynamo, { name: "invoice", schema: Invoice, groupOf: ({ tenant }) => invoiceGroupOf(tenant) });
}

/** Credit notes by the month in which they were asked for. */
export function createCreditNoteStore(dynamo: Dynamo): RevisionLog<CreditNote> {
  return createRevisionLog(dynamo, { name: "credit-note", schema: CreditNote, groupOf: ({ askedIn }) => creditNoteGroupOf(askedIn) });
}

/** Replacements by the month in which they were asked for. */
export function createReplacementStore(dynamo: Dynamo): RevisionLog<Replacement> {
  return createRevisionLog(dynamo, { name: "replacement", schema: Replacement, groupOf: ({ askedIn }) => replacementGroupOf(askedIn) });
}

/** One seller, under the id `SELLER`. */
export function createSellerStore(dynamo: Dynamo): RevisionLog<Seller> {
  return createRevisionLog(dynamo, { name: "seller", schema: Seller });
}
