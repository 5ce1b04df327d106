import type { FakeDynamo } from "../harness/fake-dynamo/fake-dynamo.ts";
import type { Deed, Done } from "./deeds.ts";
import { type Credit, type Invoice, invoicesIn, type Note, notesIn, replacementsIn } from "./invoice-logs.ts";
import { MONTH } from "./months.ts";
import { TENANTS } from "./seed-store.ts";
import { wrongNumbers } from "./verdict-invoices.ts";

/** What was promised to those who pay, credit, void, replace and adjust invoices. */
export function wrongCorrections(store: FakeDynamo, deeds: readonly Done[]): string[] {
  const logs = invoicesIn(store);
  const invoices = new Map([...logs].flatMap(([id, log]) => log.slice(-1).map((last) => [id, last] as const)));
  const notes = notesIn(store);
  return [
    ...[...logs.values()].flatMap(wrongCourse),
    ...[...invoices.values()].flatMap((invoice) => wrongCredits(invoice, notes)),
    ...notes.flatMap(({ id, state }) => (state === "issued" || state === "refused" ? [] : [`the credit note ${id} is ${state} for ever`])),
    ...wrongNumbers(
      store,
      "credit-notes",
      notes.flatMap(({ number = [] }) => number),
    ),
    ...TENANTS.flatMap((tenant) => wrongMonth(`${tenant}-${MONTH}`, { invoices, store })),
    ...[...Map.groupBy(deeds, ({ deed }) => JSON.stringify(deed)).values()].flatMap((same) => wrongWords(same, { invoices, store, notes })),
  ];
}

const NEXT_STATES: Readonly<Record<string, readonly string[]>> = {
  draft: ["draft", "frozen"],
  frozen: ["frozen", "issued"],
  issued: ["issued", "paid", "void"],
  paid: ["paid"],
  void: ["void"],
};

/** From its number on an invoice says what it says: only credits are added, a payment or that it is void; and neither of these is taken back. */
function wrongCourse(log: readonly Invoice[]): string[] {
  return log.flatMap((after, place) => {
    const before = log[place - 1];
    if (before === undefined) return [];
    const [was, is] = [before.credits ?? [], after.credits ?? []];
    const isSettled = before.issue === undefined || factsOf(before) === factsOf(after);
    return [
      ...(NEXT_STATES[before.state]?.includes(after.state) ? [] : [`the invoice ${after.id} went from ${before.state} to ${after.state}`]),
      ...(isSettled ? [] : [`the invoice ${after.id} says something else once it is issued`]),
      ...(before.payment === undefined || same(before.payment, after.payment) ? [] : [`the payment of ${after.id} was changed`]),
      ...(same(was, is.slice(0, was.length)) ? [] : [`a credit of ${after.id} was changed`]),
      ...(after.state === "void" && is.length > 0 ? [`the invoice ${after.id} is void and has credits`] : []),
    ];
  });
}

function factsOf({ issue, totals, adjustments, replaces }: Invoice): string {
  return JSON.stringify([issue, totals, adjustments, replaces]);
}

/** What an invoice gives back is never more than it asks for, and each part of it has its note, which says the same. */
function wrongCredits({ id, totals, credits = [] }: Invoice, notes: readonly Note[]): string[] {
  const own = notes.filter(({ invoice, state }) => invoice === id && state !== "refused");
  const sum = (of: (credit: Credit) => string) => credits.reduce((all, credit) => all + BigInt(of(credit)), 0n);
  const [total, tax] = [sum(({ amountMinor }) => amountMinor), sum(({ taxMinor }) => taxMinor)];
  const left = BigInt(totals.totalMinor) - total;
  const isTaxRight = left === 0n ? tax === BigInt(totals.taxMinor) : tax <= BigInt(totals.taxMinor);
  const byId = (a: Credit, b: Credit) => (a.id < b.id ? -1 : 1);
  const noted = own.flatMap(({ credit = [] }) => credit).sort(byId);
  return [
    ...(left >= 0n ? [] : [`of ${id} ${total} were given back, and it is ${totals.totalMinor}`]),
    ...(credits.length === 0 || isTaxRight ? [] : [`of the tax of ${id} ${tax} was given back, and it is ${totals.taxMinor}`]),
    ...(same(noted, [...credits].sort(byId)) ? [] : [`the credits of ${id} are not those of its notes`]),
  ];
}

type Known = { readonly invoices: ReadonlyMap<string, Invoice>; readonly store: FakeDynamo };

/** A month is billed by one invoice; by none if that was taken back, and by the next one if somebody wanted another. */
function wrongMonth(first: string, { invoices, store }: Known): string[] {
  const all = [...invoices.values()].filter(({ id }) => id === first || id.startsWith(`${first}-r`));
  const standing = all.filter((each) => each.issue !== undefined && !isTakenBack(each));
  return [
    ...(standing.length > 1 ? [`${standing.map(({ id }) => id).join(" and ")} bill the same month`] : []),
    ...replacementsIn(store)
      .filter(({ replaces }) => replaces.id === first || replaces.id.startsWith(`${first}-r`))
      .flatMap(({ id, state, replaces }) => {
        const [old, made] = [invoices.get(replaces.id), invoices.get(id)];
        const isLinked = old !== undefined && isTakenBack(old) && old.replacedBy?.id === id && made?.replaces?.id === replaces.id;
        return state === "issued" && made?.issue !== undefined && isLinked ? [] : [`${id} does not take the place of ${replaces.id}`];
      }),
  ];
}

/** Void, or given back as a whole. */
function isTakenBack({ state, totals, credits = [] }: Invoice): boolean {
  const given = credits.reduce((all, { amountMinor }) => all + BigInt(amountMinor), 0n);
  return state === "void" || (credits.length > 0 && given === BigInt(totals.totalMinor));
}

/** What somebody was told is so. Where all who wanted it were refused, again and again, there is nothing of it. */
function wrongWords(done: readonly Done[], known: Known & { readonly notes: readonly Note[] }): string[] {
  const [first] = done;
  if (first === undefined) return [];
  const { deed } = first;
  const isThere = hasCome(deed, known);
  const what = `${deed.kind} of ${deed.invoice} (${JSON.stringify(deed.body)})`;
  if (done.some(({ outcome }) => outcome === "done")) return isThere ? [] : [`${what} was said to be done, and is not`];
  return done.every(({ outcome }) => outcome === "refused") && isThere ? [`${what} was refused, and is done`] : [];
}

function hasCome({ kind, invoice, body }: Deed, { invoices, store, notes }: Known & { readonly notes: readonly Note[] }): boolean {
  const last = invoices.get(invoice);
  switch (kind) {
    case "pay":
      return last?.payment?.reference === body.reference;
    case "void":
      return last?.state === "void";
    case "replace":
      return replacementsIn(store).some(({ replaces }) => replaces.id === invoice);
    case "credits":
      return notes.some(({ id, state }) => id === `${invoice}.${body.id}` && state !== "refused");
    case "adjustments":
      return last?.adjustments.filter(({ id, amountMinor }) => id === body.id && amountMinor === body.amountMinor).length === 1;
  }
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
