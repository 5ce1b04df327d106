import { unlessConflict } from "../../shared/base/failure.ts";
import type { Invoice } from "../../shared/billing/invoices/invoice.ts";
import { type InvoiceIn, type IssuedInvoice, isIssued, issue, numberName } from "../../shared/billing/invoices/invoice.ts";
import { type Bearers, BOOKS, finishPending, issueNumber, type Slot } from "../../shared/billing/invoices/invoice-book.ts";
import { issuedEvent } from "../../shared/billing/invoices/invoice-events.ts";
import type { Revision } from "../../shared/dynamo/revision-log.ts";
import { DAY_MS } from "../../shared/usage/period.ts";
import { changeAt, type InvoicingDeps } from "./deps.ts";
import { putInvoice, readInvoiceDocument } from "./documents.ts";

/** Gives a frozen invoice its number, if it has none yet. */
export async function numberInvoice(deps: InvoicingDeps, id: string, nowMs: number): Promise<void> {
  await issueNumber(seriesOf(deps), id, nowMs);
}

/** Finishes the invoice whose number somebody has taken and not given. */
export async function finishPendingInvoice(deps: InvoicingDeps): Promise<void> {
  await finishPending(seriesOf(deps));
}

function seriesOf(deps: InvoicingDeps) {
  const bearers: Bearers = {
    numberOf: async (id) => {
      const { body } = await invoiceOf(deps, id);
      if (!isIssued(body) && body.state !== "frozen") throw new Error(`the invoice ${id} is a draft and must not get a number`);
      if (isIssued(body)) return body.issue.number;
      await readInvoiceDocument(deps, body.document); // what cannot be issued takes no number: it would be in everybody's way
      return undefined;
    },
    assign: async (slot) => {
      const issued = await assign(deps, slot);
      // Told before the slot is cleared: who dies in between leaves it pending, and whoever finishes it tells the same event again.
      await deps.outbox.emit(issuedEvent(issued));
      return issued.issue.number;
    },
  };
  return { book: BOOKS.invoices, store: deps.numbers, bearers };
}

/** The slot's own time is the invoice's date, so that whoever finishes it writes the same documents. */
async function assign(deps: InvoicingDeps, slot: Slot): Promise<IssuedInvoice> {
  const { body, revision } = await invoiceOf(deps, slot.bearer);
  if (isIssued(body)) return body;
  if (body.state !== "frozen") throw new Error(`the number ${slot.number} was taken for ${slot.bearer}, which is a ${body.state}`);
  const issued = await issuedFrom(deps, body, slot);
  const change = changeAt(slot.atMs, `issued as ${issued.issue.name}`);
  if (await unlessConflict(deps.invoices.append(body.id, revision, { body: issued, change }))) return issued;
  const now = (await invoiceOf(deps, slot.bearer)).body;
  if (isIssued(now)) return now;
  throw new Error(`the invoice ${body.id} is ${now.state} and was changed while it got its number`);
}

async function issuedFrom(deps: InvoicingDeps, frozen: InvoiceIn<"frozen">, { number, atMs }: Slot) {
  const name = numberName(frozen.prefix, number);
  const issuedAt = new Date(atMs).toISOString();
  const dueAt = new Date(atMs + frozen.paymentTermDays * DAY_MS).toISOString();
  const document = { ...(await readInvoiceDocument(deps, frozen.document)), name, issuedAt, dueAt };
  return issue(frozen, { number, name, issuedAt, dueAt, documents: await putInvoice(deps, document) });
}

async function invoiceOf({ invoices }: InvoicingDeps, id: string): Promise<Revision<Invoice>> {
  const invoice = await invoices.current(id);
  if (invoice === undefined) throw new Error(`there is no invoice ${id}`);
  return invoice;
}
