import type { Credit } from "../../shared/billing/balances/credit.ts";
import type { CreditNote } from "../../shared/billing/invoices/credit-note.ts";
import type { DocumentRemover } from "../../shared/billing/invoices/document-store.ts";
import type { Invoice } from "../../shared/billing/invoices/invoice.ts";
import type { InvoicingProgressStore } from "../../shared/billing/invoices/invoicing-progress.ts";
import type { Replacement } from "../../shared/billing/invoices/replacement.ts";
import type { Seller } from "../../shared/billing/invoices/seller.ts";
import type { Eraser } from "../../shared/dynamo/eraser.ts";
import type { RevisionLog } from "../../shared/dynamo/revision-log.ts";
import type { Webhook } from "../../shared/events/webhook.ts";
import type { Key } from "../../shared/keys/key.ts";
import type { Log } from "../../shared/log/log.ts";
import type { Person } from "../../shared/people/person.ts";
import type { Deletion } from "../../shared/tenants/deletion.ts";
import type { Tenant } from "../../shared/tenants/tenant.ts";

/** Everything that erasing touches; compose.ts makes it, tests make their own. */
export type ErasingDeps = {
  readonly eraser: Eraser;
  /** Objects of the records bucket: documents, and large kept answers. */
  readonly records: DocumentRemover;
  readonly tenants: RevisionLog<Tenant>;
  readonly keys: RevisionLog<Key>;
  readonly people: RevisionLog<Person>;
  readonly webhooks: RevisionLog<Webhook>;
  readonly invoices: RevisionLog<Invoice>;
  readonly creditNotes: RevisionLog<CreditNote>;
  readonly replacements: RevisionLog<Replacement>;
  readonly credits: RevisionLog<Credit>;
  readonly sellers: RevisionLog<Seller>;
  readonly progress: Pick<InvoicingProgressStore, "read">;
  readonly deletions: RevisionLog<Deletion>;
  readonly log: Log;
};

/** Writes of one step in one round. */
export const WRITES_MAX = 1_000;
