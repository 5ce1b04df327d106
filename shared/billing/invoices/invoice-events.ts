import type { Revision } from "../../dynamo/revision-log.ts";
import type { Outbox, WeirEvent } from "../../events/event.ts";
import { printMinor } from "../money.ts";
import type { CreditNote } from "./credit-note.ts";
import { type Invoice, type IssuedInvoice, isIssued } from "./invoice.ts";

type Changed = Pick<Revision<Invoice>, "body" | "at">;
type IssuedNote = Extract<CreditNote, { state: "issued" }>;

/**
 * What an invoice's revision is told as, if at all: its id is the invoice's and the state's, so that whoever tells it again, after a kill or beside
 * somebody else, tells it once.
 */
export function invoiceEvent({ body, at }: Changed): WeirEvent | undefined {
  switch (body.state) {
    case "draft":
    case "frozen":
      return undefined;
    case "issued":
      return issuedEvent(body);
    case "paid": {
      const { reference, paidAt } = body.payment;
      return { ...eventOf(body, "paid"), at, data: { ...factsOf(body), reference, paidAt } };
    }
    case "void":
      return { ...eventOf(body, "voided"), at, data: { ...factsOf(body), reason: body.voided.reason } };
  }
}

/** That an invoice got its number, whatever has become of it since. */
export function issuedEvent(invoice: IssuedInvoice): WeirEvent {
  const { issuedAt, dueAt } = invoice.issue;
  return { ...eventOf(invoice, "issued"), at: issuedAt, data: { ...factsOf(invoice), issuedAt, dueAt } };
}

export function creditNoteEvent(note: IssuedNote, invoice: Invoice): WeirEvent {
  const { id, name, issuedAt, credit } = note;
  const { currency, tenant } = invoice;
  const of = { invoice: invoice.id, invoiceNumber: isIssued(invoice) ? invoice.issue.name : null };
  const total = printMinor(BigInt(credit.amountMinor), currency);
  const data = { creditNote: id, number: name, ...of, currency, total, reason: credit.reason, issuedAt };
  return { id: `credit-note-${id}-issued`, type: "credit_note.issued", tenant, at: issuedAt, data };
}

/** Tells what a revision is told as; durable when it resolves. */
export async function tellInvoice(outbox: Outbox, changed: Changed): Promise<void> {
  const event = invoiceEvent(changed);
  if (event !== undefined) await outbox.emit(event);
}

function eventOf({ id, tenant }: IssuedInvoice, what: "issued" | "paid" | "voided") {
  return { id: `invoice-${id}-${what}`, type: `invoice.${what}`, tenant } as const;
}

function factsOf({ id, month, currency, totals, issue, replaces }: IssuedInvoice) {
  const instead = replaces === undefined ? {} : { replaces: replaces.name };
  return { invoice: id, number: issue.name, month, currency, total: printMinor(BigInt(totals.totalMinor), currency), ...instead };
}
