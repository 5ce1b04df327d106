import { CreditNote } from "../../shared/billing/invoices/credit-note.ts";
import { Invoice } from "../../shared/billing/invoices/invoice.ts";
import { Replacement } from "../../shared/billing/invoices/replacement.ts";
import type { Scrubbing } from "../../shared/dynamo/eraser.ts";
import { Webhook } from "../../shared/events/webhook.ts";
import { Key } from "../../shared/keys/key.ts";
import { Person } from "../../shared/people/person.ts";
import {
  scrubCreditNote,
  scrubInvoice,
  scrubKey,
  scrubPerson,
  scrubReplacement,
  scrubTenant,
  scrubWebhook,
} from "../../shared/tenants/scrub.ts";
import { Tenant } from "../../shared/tenants/tenant.ts";

/** Logs whose bodies are erased, and what stays of them. */
export const keyLog = (id: string): Scrubbing<Key> => ({ noun: "key", id, schema: Key, scrub: scrubKey });
export const tenantLog = (id: string): Scrubbing<Tenant> => ({ noun: "tenant", id, schema: Tenant, scrub: scrubTenant });
export const personLog = (id: string): Scrubbing<Person> => ({ noun: "person", id, schema: Person, scrub: scrubPerson });
export const webhookLog = (id: string): Scrubbing<Webhook> => ({ noun: "webhook", id, schema: Webhook, scrub: scrubWebhook });
export const invoiceLog = (id: string): Scrubbing<Invoice> => ({ noun: "invoice", id, schema: Invoice, scrub: scrubInvoice });
export const replacementLog = (id: string): Scrubbing<Replacement> => ({
  ...{ noun: "replacement", id, schema: Replacement },
  scrub: scrubReplacement,
});
export const creditNoteLog = (id: string): Scrubbing<CreditNote> => ({
  ...{ noun: "credit-note", id, schema: CreditNote },
  scrub: scrubCreditNote,
});
