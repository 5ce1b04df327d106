import { unlessConflict } from "../../shared/base/failure.ts";
import { eachItem } from "../../shared/base/page.ts";
import { acceptCredit } from "../../shared/billing/invoices/accept-credit.ts";
import { makeCreditDocument } from "../../shared/billing/invoices/credit-document.ts";
import { type CreditNote, creditNoteGroupOf } from "../../shared/billing/invoices/credit-note.ts";
import { type IssuedInvoice, isIssued, numberName } from "../../shared/billing/invoices/invoice.ts";
import { type Bearers, BOOKS, finishPending, issueNumber, type Slot } from "../../shared/billing/invoices/invoice-book.ts";
import { creditNoteEvent } from "../../shared/billing/invoices/invoice-events.ts";
import { SELLER } from "../../shared/billing/invoices/seller.ts";
import type { Revision } from "../../shared/dynamo/revision-log.ts";
import { isolated } from "../../shared/schedule/isolated.ts";
import { changeAt, type InvoicingDeps } from "./deps.ts";
import { putCredit, readInvoiceDocument } from "./documents.ts";

type Accepted = Extract<CreditNote, { state: "accepted" }>;
type Issued = Extract<CreditNote, { state: "issued" }>;

type Call = { readonly nowMs: number; readonly signal: AbortSignal };

/** Brings every credit note that was asked for in a month to its end, `issued` or `refused`; answers whether none of them is left. */
export async function settleCreditNotes(deps: InvoicingDeps, month: string, { nowMs, signal }: Call): Promise<boolean> {
  let isDone = true;
  for await (const note of eachItem((page) => deps.creditNotes.list(creditNoteGroupOf(month), page))) {
    if (note.body.state === "issued" || note.body.state === "refused") continue;
    if (signal.aborted) return false;
    isDone = (await settle(deps, note, nowMs)) && isDone;
  }
  return isDone;
}

/** Whether it has come to its end; one's trouble keeps its month open until it is over. */
async function settle(deps: InvoicingDeps, note: Revision<CreditNote>, nowMs: number): Promise<boolean> {
  const trouble = { message: "a credit note could not be issued", of: { creditNote: note.body.id } };
  const isSettled = await isolated(deps.log, trouble, async () => {
    const { state } = await acceptCredit(deps, note, changeAt(nowMs, "taken from its invoice"));
    if (state === "accepted") await issueNumber(seriesOf(deps), note.body.id, nowMs);
    return true;
  });
  return isSettled ?? false;
}

export async function finishPendingCredit(deps: InvoicingDeps): Promise<void> {
  await finishPending(seriesOf(deps));
}

function seriesOf(deps: InvoicingDeps) {
  const bearers: Bearers = {
    numberOf: async (id) => {
      const { body } = await noteOf(deps, id);
      if (body.state === "issued") return body.number;
      if (body.state === "accepted") {
        await basisOf(deps, body); // what cannot be issued takes no number: it would be in everybody's way
        return undefined;
      }
      throw new Error(`the credit note ${id} is ${body.state} and must not get a number`);
    },
    assign: async (slot) => {
      const issued = await assign(deps, slot);
      await deps.outbox.emit(creditNoteEvent(issued, await billedOf(deps, issued))); // before the slot is cleared, as of invoices
      return issued.number;
    },
  };
  return { book: BOOKS.credits, store: deps.numbers, bearers };
}

async function assign(deps: InvoicingDeps, slot: Slot): Promise<Issued> {
  const { body, revision } = await noteOf(deps, slot.bearer);
  if (body.state === "issued") return body;
  if (body.state !== "accepted") throw new Error(`the number ${slot.number} was taken for ${slot.bearer}, which is ${body.state}`);
  const issued = await issuedFrom(deps, body, slot);
  const change = changeAt(slot.atMs, `issued as ${issued.name}`);
  if (await unlessConflict(deps.creditNotes.append(body.id, revision, { body: issued, change }))) return issued;
  const now = (await noteOf(deps, slot.bearer)).body;
  if (now.state === "issued") return now;
  throw new Error(`the credit note ${body.id} is ${now.state} and was changed while it got its number`);
}

async function issuedFrom(deps: InvoicingDeps, note: Accepted, { number, atMs }: Slot): Promise<Issued> {
  const { id, invoice, askedIn, ask, credit } = note;
  const basis = await basisOf(deps, note);
  const name = numberName(basis.seller.creditPrefix, number);
  const issuedAt = new Date(atMs).toISOString();
  const document = makeCreditDocument(basis.document, credit, { id, name, issuedAt });
  return {
    state: "issued",
    id,
    invoice,
    askedIn,
    ask,
    credit,
    number,
    name,
    issuedAt,
    documents: await putCredit(deps, document),
  };
}

/** Who gives the credit, and the document of the invoice that it is of. */
async function basisOf(deps: InvoicingDeps, note: Accepted) {
  const billed = await billedOf(deps, note);
  const seller = (await deps.sellers.current(SELLER))?.body;
  if (seller === undefined) throw new Error(`the credit note ${note.id} has no seller`);
  return { seller, document: await readInvoiceDocument(deps, billed.issue.documents.json) };
}

async function billedOf({ invoices }: InvoicingDeps, { id, invoice }: CreditNote): Promise<IssuedInvoice> {
  const billed = (await invoices.current(invoice))?.body;
  if (billed === undefined || !isIssued(billed)) throw new Error(`the credit note ${id} has no issued invoice`);
  return billed;
}

async function noteOf({ creditNotes }: InvoicingDeps, id: string): Promise<Revision<CreditNote>> {
  const note = await creditNotes.current(id);
  if (note === undefined) throw new Error(`there is no credit note ${id}`);
  return note;
}
