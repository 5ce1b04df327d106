import type { CreditNote } from "../billing/invoices/credit-note.ts";
import { type Invoice, isIssued } from "../billing/invoices/invoice.ts";
import type { Replacement } from "../billing/invoices/replacement.ts";
import type { Webhook } from "../events/webhook.ts";
import type { Key } from "../keys/key.ts";
import type { Person } from "../people/person.ts";
import type { Tenant } from "./tenant.ts";

/**
 * What stays of a revision's body when its tenant or person is erased: a body of the same form without anything that a person could be known by.
 * Revisions are never changed otherwise. This is the one exception: who, when and why stay as they are, and so does what bills rest on.
 */
export const ERASED = "erased";

export function scrubKey({ cidrs: _, previous: __, ...key }: Key): Key {
  return { ...key, name: ERASED, secretHmac: "" };
}

export function scrubTenant({ billing, ...tenant }: Tenant): Tenant {
  if (billing === undefined) return { ...tenant, name: ERASED };
  const { name: _, address: __, taxId: ___, ...kept } = billing;
  return { ...tenant, name: ERASED, billing: kept };
}

/** Whether nobody could be named on a document any more. */
export function isScrubbed({ isClosed, name }: Tenant): boolean {
  return isClosed && name === ERASED;
}

export function scrubWebhook(webhook: Webhook): Webhook {
  return { ...webhook, url: "https://erased.invalid/", description: "" };
}

/** The id stays, since the trail names it: whoever makes persons may choose ids that name nobody. */
export function scrubPerson(person: Person): Person {
  return { ...person, name: ERASED };
}

/** When the law wants it no more: numbers, dates and totals stay, so that the series has no gap; words do not. */
export function scrubInvoice(invoice: Invoice): Invoice {
  const adjustments = invoice.adjustments.map((each) => ({ ...each, reason: ERASED }));
  if (!isIssued(invoice)) return { ...invoice, adjustments };
  const issued = { ...invoice, adjustments, credits: invoice.credits.map((each) => ({ ...each, reason: ERASED })) };
  if (issued.state === "paid") return { ...issued, payment: { ...issued.payment, reference: ERASED } };
  return issued.state === "void" ? { ...issued, voided: { ...issued.voided, reason: ERASED } } : issued;
}

export function scrubReplacement(replacement: Replacement): Replacement {
  return { ...replacement, reason: ERASED, adjustments: replacement.adjustments.map((each) => ({ ...each, reason: ERASED })) };
}

export function scrubCreditNote(note: CreditNote): CreditNote {
  const asked = { ...note, ask: { ...note.ask, reason: ERASED } };
  return "credit" in asked ? { ...asked, credit: { ...asked.credit, reason: ERASED } } : asked;
}
