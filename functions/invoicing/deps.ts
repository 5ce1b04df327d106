import type { Trail } from "../../shared/audit/audit.ts";
import type { CreditDocument } from "../../shared/billing/invoices/credit-document.ts";
import type { CreditNote } from "../../shared/billing/invoices/credit-note.ts";
import type { DocumentStore } from "../../shared/billing/invoices/document-store.ts";
import type { Invoice } from "../../shared/billing/invoices/invoice.ts";
import type { InvoiceBookStore } from "../../shared/billing/invoices/invoice-book.ts";
import type { InvoiceDocument } from "../../shared/billing/invoices/invoice-document.ts";
import type { InvoicingProgressStore } from "../../shared/billing/invoices/invoicing-progress.ts";
import type { Replacement } from "../../shared/billing/invoices/replacement.ts";
import type { Seller } from "../../shared/billing/invoices/seller.ts";
import type { PriceBook } from "../../shared/billing/prices/price-book.ts";
import type { Change, RevisionLog } from "../../shared/dynamo/revision-log.ts";
import type { Outbox } from "../../shared/events/event.ts";
import type { Log } from "../../shared/log/log.ts";
import type { Tenant } from "../../shared/tenants/tenant.ts";
import type { RowReader, SealReader, TotalReader } from "../../shared/usage/seals/sealed.ts";

/** Everything that invoicing touches; compose.ts makes it, tests make their own. */
export type InvoicingDeps = {
  readonly log: Log;
  readonly tenants: RevisionLog<Tenant>;
  readonly books: RevisionLog<PriceBook>;
  readonly sellers: RevisionLog<Seller>;
  readonly invoices: RevisionLog<Invoice>;
  readonly creditNotes: RevisionLog<CreditNote>;
  readonly replacements: RevisionLog<Replacement>;
  readonly numbers: InvoiceBookStore;
  readonly documents: DocumentStore;
  readonly progress: InvoicingProgressStore;
  /** Where webhooks are told of invoices. */
  readonly outbox: Outbox;
  /** What people have done to invoices. */
  readonly trail: Pick<Trail, "across">;
  readonly seals: SealReader;
  readonly totals: TotalReader;
  readonly rows: RowReader;
  readonly pdf: {
    readonly invoice: (document: InvoiceDocument) => Promise<Uint8Array>;
    readonly credit: (document: CreditDocument) => Promise<Uint8Array>;
  };
};

/** Who stands in the history for what happens by itself. */
export const INVOICING = "invoicing";

export function changeAt(atMs: number, why: string): Change {
  return { by: INVOICING, why, atMs };
}
