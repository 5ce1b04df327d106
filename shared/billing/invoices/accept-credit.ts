import { Failure, unlessConflict } from "../../base/failure.ts";
import type { Change, Revision, RevisionLog } from "../../dynamo/revision-log.ts";
import { monthAt } from "../month.ts";
import { type CreditNote, creditNoteId } from "./credit-note.ts";
import { credit, type Invoice, type NewCredit } from "./invoice.ts";

type Logs = { readonly invoices: RevisionLog<Invoice>; readonly creditNotes: RevisionLog<CreditNote> };

/** How often others may change the invoice while a credit is being accepted. */
const ATTEMPTS_MAX = 20;

/**
 * Asks for a credit note and takes it from what is left of its invoice. Whoever asks twice gets the same one; who was killed in between is
 * finished by the invoicing function, which finds what was `asked` by its month. Fails with `conflict` when less is left; nothing is stored then.
 */
export async function askCredit(
  logs: Logs,
  { invoice: id, ask, change }: { invoice: string; ask: NewCredit; change: Change },
): Promise<CreditNote> {
  const there = await logs.creditNotes.current(creditNoteId(id, ask.id));
  const asked = there === undefined ? await putAsked(logs, { invoice: id, ask, change }) : checkSame(there, ask);
  const note = await acceptCredit(logs, asked, change);
  if (note.state === "refused") throw new Failure("conflict", note.problem, { field: "amountMinor" });
  return note;
}

async function putAsked(
  logs: Logs,
  { invoice: id, ask, change }: { invoice: string; ask: NewCredit; change: Change },
): Promise<Revision<CreditNote>> {
  const noteId = creditNoteId(id, ask.id);
  const at = new Date(change.atMs).toISOString();
  // Refused before anything is stored, if it can be known.
  credit((await invoiceOf(logs, id)).body, ask, { by: change.by, at });
  const { amountMinor } = ask;
  const asked = { id: ask.id, reason: ask.reason, by: change.by, at, ...(amountMinor === undefined ? {} : { amountMinor }) };
  const body: CreditNote = { state: "asked", id: noteId, invoice: id, askedIn: monthAt(change.atMs), ask: asked };
  return logs.creditNotes.append(noteId, 0, { body, change });
}

/** Takes what was asked from the invoice; a note that is further changes nothing. May run twice at once. */
export async function acceptCredit(logs: Logs, note: Revision<CreditNote>, change: Change): Promise<CreditNote> {
  const { body } = note;
  if (body.state !== "asked") return body;
  const head = { id: body.id, invoice: body.invoice, askedIn: body.askedIn, ask: body.ask };
  for (let attempt = 1; ; attempt += 1) {
    const invoice = await invoiceOf(logs, body.invoice);
    try {
      const { amountMinor, id, reason, by, at } = body.ask;
      const made = credit(invoice.body, { id, reason, ...(amountMinor === undefined ? {} : { amountMinor }) }, { by, at });
      if (made.invoice !== invoice.body) await logs.invoices.append(body.invoice, invoice.revision, { body: made.invoice, change });
      return await move(logs, note, { body: { ...head, state: "accepted", credit: made.credit }, change });
    } catch (error) {
      if (!(error instanceof Failure) || error.code !== "conflict") throw error;
      const isChanged = (await invoiceOf(logs, body.invoice)).revision !== invoice.revision;
      if (!isChanged) return await move(logs, note, { body: { ...head, state: "refused", problem: error.message }, change });
      if (attempt >= ATTEMPTS_MAX) throw error;
    }
  }
}

/** Somebody else may have moved the note in the same way. */
async function move(logs: Logs, { revision }: Revision<CreditNote>, entry: { body: CreditNote; change: Change }): Promise<CreditNote> {
  const { id } = entry.body;
  const moved = (await unlessConflict(logs.creditNotes.append(id, revision, entry))) ?? (await logs.creditNotes.current(id));
  if (moved === undefined || moved.revision === revision)
    throw new Error(`the credit note ${id} was moved by somebody, and is where it was`);
  return moved.body;
}

async function invoiceOf({ invoices }: Logs, id: string): Promise<Revision<Invoice>> {
  const invoice = await invoices.current(id);
  if (invoice === undefined) throw new Failure("not_found", `There is no invoice '${id.slice(0, 100)}'.`, { field: "invoice" });
  return invoice;
}

function checkSame(note: Revision<CreditNote>, { id, amountMinor, reason }: NewCredit): Revision<CreditNote> {
  const { ask, state } = note.body;
  if (state === "refused") throw new Failure("conflict", note.body.problem, { field: "amountMinor" });
  if (ask.reason === reason && ask.amountMinor === amountMinor) return note;
  throw new Failure("conflict", `There is another credit '${id}' of this invoice.`, { field: "id" });
}
