import { isDeepStrictEqual } from "node:util";
import * as z from "zod";
import { canonicalJson } from "../canonical-json.ts";
import { type Check, startCheck } from "./check.ts";
import { type CreditDocument, makeCreditDocument } from "./credit-document.ts";
import { type CreditNote, CreditNoteRevision, creditNoteId } from "./credit-note.ts";
import {
  creditTaxOf,
  type Invoice,
  InvoiceRevision,
  type IssuedInvoice,
  isIssued,
  isTakenBack,
  leftMinorOf,
  numberName,
  type OtherInvoice,
} from "./invoice.ts";
import type { InvoiceDocument } from "./invoice-document.ts";
import { replacementIdOf } from "./replacement.ts";

export const CORRECTIONS_SCHEMA = "weir-invoice-corrections-1";

/** What has become of an invoice since it was issued, as an export holds it beside the invoice's own state. */
export const Corrections = z.object({
  schema: z.literal(CORRECTIONS_SCHEMA),
  credits: z.array(CreditNoteRevision).readonly(),
  /** The invoice in whose place this one stands, and the one that stands in its place. */
  replaces: InvoiceRevision.nullable(),
  replacedBy: InvoiceRevision.nullable(),
});
export type Corrections = z.infer<typeof Corrections>;

export type Corrected = {
  readonly head: InvoiceRevision;
  readonly document: InvoiceDocument;
  readonly corrections: Corrections;
  /** The documents of the notes that have a number, by that. */
  readonly notes: ReadonlyMap<string, CreditDocument>;
};

/** What the tenant owes at last: nothing of a draft, what is paid or what is void. */
export function dueMinorOf(invoice: Invoice): bigint {
  return invoice.state === "issued" ? leftMinorOf(invoice) : 0n;
}

/** Computes anew what credit notes have made of an invoice, and holds it against those before and after it. */
export function verifyCorrections({ head, document, corrections, notes }: Corrected): readonly Check[] {
  return [
    checkNotes(head, corrections.credits),
    checkNoteDocuments({ head, document, corrections, notes }),
    checkAmounts(head),
    checkOthers(head, document, corrections),
  ];
}

function checkNotes(head: Invoice, notes: readonly CreditNote[]): Check {
  const check = startCheck("credit notes are those of the invoice's log, each with a number of its own");
  const credits = isIssued(head) ? head.credits : [];
  check.count = credits.length;
  const byId = new Map(notes.map((note) => [note.id, note]));
  const own = credits.map(({ id }) => creditNoteId(head.id, id));
  if (new Set(own).size !== own.length) check.add("the invoice has a credit twice");
  if (byId.size !== notes.length) check.add("a credit note stands twice");
  for (const id of byId.keys()) if (!own.includes(id)) check.add(`${id} is none of this invoice`);
  for (const [place, credit] of credits.entries()) {
    const note = byId.get(own[place] ?? "");
    if (note === undefined) check.add(`${own[place]} is not in the export`);
    else if (note.state === "refused") check.add(`${note.id} was refused, and the invoice has it`);
    else if (note.invoice !== head.id) check.add(`${note.id} is of the invoice ${note.invoice}`);
    // One that is asked for still was taken from the invoice a moment ago.
    else if ([note.state === "asked" ? credit : note.credit, { ...credit, ...note.ask }].some((each) => !isDeepStrictEqual(each, credit)))
      check.add(`${note.id} is not what the invoice says of it`);
  }
  const numbered = notes.filter((note) => note.state === "issued");
  for (const { id, name, number } of numbered) {
    if (numberName(name.slice(0, name.lastIndexOf("-")), number) !== name) check.add(`${id} is ${name} and has the number ${number}`);
    if (numbered.some((other) => other.id !== id && other.number === number)) check.add(`${id} has a number that another has, too`);
  }
  return check.done();
}

/** Each says what follows from the invoice and its credit: whom it is for, in which currency, how much of it is tax. */
function checkNoteDocuments({ document, corrections, notes }: Corrected): Check {
  const check = startCheck("credit notes say what the invoice and its log say");
  for (const note of corrections.credits) {
    if (note.state !== "issued") continue;
    check.count += 1;
    const said = notes.get(note.name);
    if (said === undefined) check.add(`the document of ${note.name} is not in the export`);
    else if (document.name === null) check.add(`${note.name} is of an invoice without a number`);
    else {
      const { id, name, issuedAt } = note;
      const made = makeCreditDocument(document, note.credit, { id, name, issuedAt });
      for (const [field, value] of Object.entries(made)) {
        const found = said[field as keyof CreditDocument]; // its own names
        if (field === "taxRateBps" && found === undefined) continue; // notes of before say the tax and not its rate
        if (!isDeepStrictEqual(found, value))
          check.add(`${name}: its ${field} is ${canonicalJson(found ?? null)}, and not ${canonicalJson(value)}`);
      }
    }
  }
  return check.done();
}

function checkAmounts(head: InvoiceRevision): Check {
  const check = startCheck("credits are never above the invoice, each with its share of the tax, and what is left is the rest");
  if (!isIssued(head)) return check.done();
  check.count = head.credits.length;
  const total = BigInt(head.totals.totalMinor);
  let given = 0n;
  for (const [place, { id, amountMinor, taxMinor }] of head.credits.entries()) {
    const amount = BigInt(amountMinor);
    given += amount;
    if (amount <= 0n) check.add(`${id} gives back ${amount}`);
    if (given > total) check.add(`${given} is given back by ${id}, and the invoice is ${total}`);
    const tax = total === 0n ? 0n : creditTaxOf(head.totals, head.credits.slice(0, place), amount);
    if (`${tax}` !== taxMinor) check.add(`the tax in ${id} is ${tax}, and not ${taxMinor}`);
  }
  if (head.state === "void" && head.credits.length > 0) check.add("it is void and has credits");
  const left = `${leftMinorOf(head)}`;
  if ("leftMinor" in head && head.leftMinor !== left) check.add(`${left} is left, and not ${head.leftMinor}`);
  return check.done();
}

function checkOthers(head: Invoice, document: InvoiceDocument, { replaces, replacedBy }: Corrections): Check {
  const check = startCheck("invoices before and after it in its month are taken back, and each names the next");
  const [before, after] = [head.replaces, isIssued(head) ? head.replacedBy : undefined];
  if (!isDeepStrictEqual(document.replaces, before)) check.add("its document does not say the same of what it replaces");
  const told = [
    ...otherProblems({ named: before, found: replaces, of: head, which: "which it replaces" }),
    ...otherProblems({ named: after, found: replacedBy, of: head, which: "which replaces it" }),
    ...(replaces === null || before === undefined ? [] : linkProblems(replaces, head)),
    ...(replacedBy === null || after === undefined ? [] : linkProblems(head, replacedBy)),
  ];
  for (const each of told) check.add(each);
  check.count = [replaces, replacedBy].filter((each) => each !== null).length;
  return check.done();
}

type Other = { readonly named: OtherInvoice | undefined; readonly found: Invoice | null; readonly of: Invoice; readonly which: string };

function otherProblems({ named, found, of, which }: Other): string[] {
  if (named === undefined) return found === null ? [] : [`${found.id}, ${which}, is not named by it`];
  if (found === null) return [`${named.id}, ${which}, is not in the export`];
  if (!isIssued(found) || !isDeepStrictEqual(nameOf(found), named)) return [`${named.id}, ${which}, has another number or date`];
  const isOfMonth = found.tenant === of.tenant && found.month === of.month;
  return isOfMonth ? [] : [`${named.id}, ${which}, is of another tenant or month`];
}

/** The old one may not say so yet: the new one is there first. */
function linkProblems(old: Invoice, next: Invoice): string[] {
  const [oldName, nextName] = [old, next].map((each) => (isIssued(each) ? nameOf(each) : undefined));
  return [
    ...(isTakenBack(old) ? [] : [`${old.id} stands, and ${next.id} bills the same month`]),
    ...(replacementIdOf(old.id) === next.id ? [] : [`${next.id} does not come after ${old.id}`]),
    ...(isDeepStrictEqual(next.replaces, oldName) ? [] : [`${next.id} does not say that it replaces ${old.id}`]),
    ...(!isIssued(old) || old.replacedBy === undefined || isDeepStrictEqual(old.replacedBy, nextName)
      ? []
      : [`${old.id} says that it is replaced by ${old.replacedBy.id}`]),
  ];
}

function nameOf({ id, issue }: IssuedInvoice): OtherInvoice {
  return { id, name: issue.name, issuedAt: issue.issuedAt };
}
