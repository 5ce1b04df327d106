import { Failure, unlessConflict } from "../../base/failure.ts";
import type { Change, Revision, RevisionLog } from "../../dynamo/revision-log.ts";
import { monthAt } from "../month.ts";
import { type Adjustment, type Invoice, isIssued, isTakenBack, type OtherInvoice } from "./invoice.ts";
import { type NewReplacement, type Replacement, replacementIdOf } from "./replacement.ts";

type Logs = { readonly invoices: RevisionLog<Invoice>; readonly replacements: RevisionLog<Replacement> };

/** How often others may change the old invoice while the new one is written into it: a credited one may still be marked as paid. */
const ATTEMPTS_MAX = 20;

/**
 * Asks for the month of an invoice that was taken back to be invoiced again. One write, whose id follows from the old invoice's: whoever asks twice, or at once with
 * somebody else, gets the same one, and `conflict` if it was asked in other words. The invoicing function makes, numbers and links the new invoice.
 */
export async function askReplacement(
  logs: Logs,
  { invoice, ask, change }: { invoice: Invoice; ask: NewReplacement; change: Change },
): Promise<Revision<Replacement>> {
  if (!isTakenBack(invoice)) {
    const message = `The invoice ${invoice.id} is ${invoice.state} and stands: only one that is void, or credited as a whole, is replaced.`;
    throw new Failure("conflict", message);
  }
  const id = replacementIdOf(invoice.id);
  const at = new Date(change.atMs).toISOString();
  const { by } = change;
  const adjustments: readonly Adjustment[] = ask.adjustments?.map((each) => ({ ...each, by, at })) ?? invoice.adjustments;
  const head = { id, replaces: nameOf(invoice), askedIn: monthAt(change.atMs), reason: ask.reason, by, at };
  const there = await logs.replacements.current(id);
  if (there !== undefined) return checkSame(there, head.reason, adjustments);
  const asked = await unlessConflict(logs.replacements.append(id, 0, { body: { ...head, adjustments, state: "asked" }, change }));
  if (asked !== undefined) return asked;
  const now = await logs.replacements.current(id);
  if (now === undefined) throw new Error(`the replacement ${id} is there and cannot be read`);
  return checkSame(now, head.reason, adjustments);
}

/**
 * Writes down what has become of a replacement whose invoice has its number: in the old invoice, then in its own log. May run twice at once and be
 * killed anywhere: each is written if it is not there.
 */
export async function linkReplacement(logs: Logs, replacement: Revision<Replacement>, change: Change): Promise<void> {
  const { body } = replacement;
  if (body.state === "issued") return;
  const made = (await logs.invoices.current(body.id))?.body;
  if (made === undefined || !isIssued(made)) throw new Error(`the replacement ${body.id} has no issued invoice`);
  const issued = nameOf(made);
  await linkOld(logs, { body, issued, change });
  // Of a replacement there is one revision more, and all who write it write the same.
  await unlessConflict(logs.replacements.append(body.id, replacement.revision, { body: { ...body, state: "issued", issued }, change }));
}

type Link = { readonly body: Replacement; readonly issued: OtherInvoice; readonly change: Change };

async function linkOld({ invoices }: Logs, { body, issued, change }: Link): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    const before = await invoices.current(body.replaces.id);
    if (before === undefined || !isTakenBack(before.body))
      throw new Error(`${body.id} replaces ${body.replaces.id}, which is ${before?.body.state}`);
    const { body: old, revision } = before;
    if (old.replacedBy !== undefined) return;
    if (await unlessConflict(invoices.append(old.id, revision, { body: { ...old, replacedBy: issued }, change }))) return;
  }
  throw new Error(`${body.replaces.id} was changed all the time while ${body.id} was to be written into it`);
}

function nameOf(invoice: Invoice): OtherInvoice {
  if (!isIssued(invoice)) throw new Error(`the invoice ${invoice.id} has no number`);
  return { id: invoice.id, name: invoice.issue.name, issuedAt: invoice.issue.issuedAt };
}

function checkSame(there: Revision<Replacement>, reason: string, adjustments: readonly Adjustment[]): Revision<Replacement> {
  const { body } = there;
  const amounts = (of: readonly Adjustment[]) => JSON.stringify(of.map(({ id, amountMinor, reason: why }) => [id, amountMinor, why]));
  if (body.reason === reason && amounts(body.adjustments) === amounts(adjustments)) return there;
  throw new Failure("conflict", `The invoice ${body.replaces.id} is being replaced already, by ${body.id}, in other words.`);
}
