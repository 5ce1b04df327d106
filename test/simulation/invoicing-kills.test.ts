import { beforeAll, expect, test } from "vitest";
import type { InvoicingDeps } from "../../functions/invoicing/deps.ts";
import { createRound } from "../../functions/invoicing/round.ts";
import { sha256Hex } from "../../shared/base/hash.ts";
import { eachItem } from "../../shared/base/page.ts";
import { askCredit } from "../../shared/billing/invoices/accept-credit.ts";
import { type CreditNote, creditNoteGroupOf } from "../../shared/billing/invoices/credit-note.ts";
import { type Invoice, type IssuedInvoice, invoiceGroupOf, isIssued, pay, voidInvoice } from "../../shared/billing/invoices/invoice.ts";
import { tellInvoice } from "../../shared/billing/invoices/invoice-events.ts";
import { askReplacement } from "../../shared/billing/invoices/replace-invoice.ts";
import { createEventStore } from "../../shared/events/event-store.dynamo.ts";
import { DAY_MS, HOUR_MS } from "../../shared/usage/period.ts";
import { leanOver } from "../harness/fake-dynamo/lean.ts";
import { copyOf, createInvoicingWorld, type Durable, invoicingOver } from "../harness/invoicing.ts";
import { isWrite, type Kill, OPEN, runUntilKilled } from "../harness/killing.ts";
import { listed, roundsAt, rowAt } from "../harness/sealing.ts";

const OCTOBER = Date.UTC(2026, 9, 31, 23);
const AUDITED = Date.UTC(2026, 10, 1) + 26 * HOUR_MS;
const LATER = AUDITED + 10 * DAY_MS;
const TENANTS = ["acme", "globex"];
/** Of calls that write nothing every third is died before: between two writes all places are alike, but for another process beside. */
const READS_EVERY = 3;
const CHANGE = { by: "k", why: "test", atMs: LATER };
const EVENTS_MAX = 1_000;
const TIMEOUT_MS = 120_000;

/** October is sealed and read again, and nobody has an invoice yet. */
let sealed: Durable;
/** The same, and everybody has one. */
let issued: Durable;
beforeAll(async () => {
  const world = createInvoicingWorld(OCTOBER);
  const price = { price: "0.5" };
  await world.setPrices({ name: "standard", currency: "EUR", effectiveFrom: "2026-10-01T00:00:00Z", entries: [{ perRequest: price }] });
  await world.setSeller();
  for (const tenant of TENANTS) {
    await world.makeTenant(tenant, {});
    await world.settle(rowAt(OCTOBER + 1_000, { tenant }));
  }
  await world.sealAt(AUDITED);
  sealed = world;
  issued = copyOf(world);
  await rounds(invoicingOver(issued, OPEN, []), AUDITED);
}, TIMEOUT_MS);

const rounds = (deps: InvoicingDeps, nowMs: number) => roundsAt(createRound(deps), nowMs);

type Deed = (deps: InvoicingDeps) => Promise<void>;

async function invoiceOf(deps: InvoicingDeps, id: string) {
  const invoice = await deps.invoices.current(id);
  if (invoice === undefined) throw new Error(`there is no ${id}`);
  return invoice;
}

/** What a person does by the gateway, which tells webhooks right after its write; who finds it done does not do it again. */
async function change(deps: InvoicingDeps, id: string, to: (invoice: Invoice) => Invoice) {
  const { body, revision } = await invoiceOf(deps, id);
  if (body.state !== "issued") return;
  await tellInvoice(deps.outbox, await deps.invoices.append(id, revision, { body: to(body), change: CHANGE }));
}

const at = new Date(LATER).toISOString();
const payAndReplace: Deed = async (deps) => {
  await change(deps, "acme-2026-10", (invoice) => pay(invoice, { reference: "t", paidAt: at }));
  await change(deps, "globex-2026-10", (invoice) => voidInvoice(invoice, { reason: "wrong", at }));
  const { body } = await invoiceOf(deps, "globex-2026-10");
  await askReplacement(deps, { invoice: body, ask: { reason: "right" }, change: CHANGE });
  await rounds(deps, LATER);
};
const creditTwo: Deed = async (deps) => {
  await askCredit(deps, { invoice: "acme-2026-10", ask: { id: "r-1", amountMinor: "10", reason: "outage" }, change: CHANGE });
  await askCredit(deps, { invoice: "globex-2026-10", ask: { id: "r-2", reason: "outage" }, change: CHANGE });
  await rounds(deps, LATER);
};
const issuedEvents = TENANTS.map((tenant) => `invoice-${tenant}-2026-10-issued`);

const COURSES: readonly { name: string; before: () => Durable; deed: Deed; events: readonly string[]; invoices: number; notes: number }[] =
  [
    {
      name: "a month is invoiced",
      before: () => sealed,
      deed: (deps) => rounds(deps, AUDITED),
      events: issuedEvents,
      invoices: 2,
      notes: 0,
    },
    {
      name: "an invoice is paid and another one void and replaced",
      before: () => issued,
      deed: payAndReplace,
      events: [...issuedEvents, "invoice-acme-2026-10-paid", "invoice-globex-2026-10-voided", "invoice-globex-2026-10-r2-issued"],
      invoices: 3,
      notes: 0,
    },
    {
      name: "credits are asked for and get their notes",
      before: () => issued,
      deed: creditTwo,
      events: [...issuedEvents, "credit-note-acme-2026-10.r-1-issued", "credit-note-globex-2026-10.r-2-issued"],
      invoices: 2,
      notes: 2,
    },
  ];

/** Hands what is new to nobody's webhooks: whatever is told again after that is told twice. Answers what was new. */
async function deliver(place: Durable): Promise<string[]> {
  const events = createEventStore({ lean: leanOver(place.store), tablePrefix: "weir" });
  const told = await events.newEvents(EVENTS_MAX);
  for (const event of told) await events.fanOut(event, []);
  return told.map(({ id }) => id);
}

/** Everything that was kept for a bearer, by its form; drafts and what waits for a number are none of it. */
function keptFor({ objects }: Durable, bearer: string, form: string): string[] {
  return [...objects.keys()].filter((key) => key.startsWith(`invoices/${bearer}/`) && key.endsWith(`.${form}`) && !key.includes("draft"));
}

async function stateOf(place: Durable) {
  const { invoices, creditNotes, numbers } = invoicingOver(place, OPEN, []);
  const each = await Promise.all(TENANTS.map((tenant) => listed(eachItem((page) => invoices.list(invoiceGroupOf(tenant), page)))));
  const notes = await listed(eachItem((page) => creditNotes.list(creditNoteGroupOf("2026-11"), page)));
  return {
    invoices: each.flat().map(({ body }) => body),
    notes: notes.map(({ body }) => body),
    books: [await numbers.read("invoices"), await numbers.read("credit-notes")],
  };
}

/** What is wrong with where it ended; nothing should be. */
async function faultsOf(place: Durable, expected: { invoices: number; notes: number }): Promise<string[]> {
  const { invoices, notes, books } = await stateOf(place);
  const faults: string[] = [];
  const check = (what: string, isRight: boolean) => void (isRight || faults.push(what));
  const numbered = invoices.filter(isIssued);
  const issuedNotes = notes.filter((note): note is Extract<CreditNote, { state: "issued" }> => note.state === "issued");
  const upTo = (count: number) => JSON.stringify(Array.from({ length: count }, (_, place) => place + 1));
  const sorted = (some: readonly number[]) => JSON.stringify([...some].sort((a, b) => a - b));
  check("an invoice has no number", numbered.length === invoices.length && invoices.length === expected.invoices);
  check("invoices' numbers have a gap or a double", sorted(numbered.map(({ issue }) => issue.number)) === upTo(expected.invoices));
  check("a credit note has no number", issuedNotes.length === notes.length && notes.length === expected.notes);
  check("notes' numbers have a gap or a double", sorted(issuedNotes.map(({ number }) => number)) === upTo(expected.notes));
  check(
    `the books say ${JSON.stringify(books)}`,
    JSON.stringify(books) === JSON.stringify([expected.invoices, expected.notes].map((n) => ({ next: n + 1 }))),
  );
  for (const tenant of TENANTS) {
    const standing = numbered.filter((invoice) => invoice.tenant === tenant && invoice.state !== "void");
    check(`${tenant} has ${standing.length} invoices that stand`, standing.length === 1);
  }
  for (const invoice of numbered) check(`${invoice.id} is not linked`, isLinked(invoice, numbered));
  for (const { id, issue } of numbered) faults.push(...documentFaults(place, id, Object.values(issue.documents)));
  for (const { id, documents } of issuedNotes) faults.push(...documentFaults(place, id, Object.values(documents)));
  return faults;
}

function isLinked(invoice: IssuedInvoice, all: readonly IssuedInvoice[]): boolean {
  const other = invoice.state === "void" ? invoice.replacedBy : invoice.replaces;
  if (other === undefined) return invoice.state !== "void";
  return all.some(({ id, issue }) => id === other.id && issue.name === other.name);
}

/** Each document is what its digest says, and nobody has written another version of it. */
function documentFaults(place: Durable, bearer: string, documents: readonly { key: string; sha256: string }[]): string[] {
  const damaged = documents
    .filter(({ key, sha256 }) => sha256Hex(place.objects.get(key) ?? "") !== sha256)
    .map(({ key }) => `${key} is damaged`);
  const again = ["csv", "pdf"]
    .filter((form) => keptFor(place, bearer, form).length !== 1)
    .map((form) => `${bearer} has more than one ${form}`);
  return [...damaged, ...again];
}

/** Killed there, alone or beside another that goes on; then what was told is delivered, and two more run at once until nothing is left. */
async function course({ before, deed }: (typeof COURSES)[number], kill: Kill | undefined, isBeside: boolean) {
  const place = copyOf(before());
  const logged: string[] = [];
  const run = (some?: Kill) => runUntilKilled((gate) => deed(invoicingOver(place, gate, logged)), some);
  const told = await deliver(place);
  const [calls] = await Promise.all([run(kill), ...(isBeside ? [run()] : [])]);
  told.push(...(await deliver(place)));
  await Promise.all([run(), run()]);
  told.push(...(await deliver(place)));
  await run();
  told.push(...(await deliver(place)));
  return { place, calls, told: told.sort(), logged };
}

/** Where to die: before and after each write, and before some of the reads if nobody is beside. */
function killsAt(calls: readonly string[], isBeside: boolean): Kill[] {
  return calls.flatMap((name, place) => {
    const call = place + 1;
    if (isWrite(name))
      return [
        { call, when: "before" as const },
        { call, when: "after" as const },
      ];
    return !isBeside && place % READS_EVERY === 0 ? [{ call, when: "before" as const }] : [];
  });
}

test.each(COURSES)(
  "killed at the calls of a store while $name, alone or beside another: no gap, no double, one invoice a month, one event, one document",
  async (each) => {
    const { calls } = await course(each, undefined, false);
    let kills = 0;

    for (const isBeside of [false, true]) {
      for (const kill of killsAt(calls, isBeside)) {
        const end = await course(each, kill, isBeside);
        kills += 1;
        const where = `${kill.when} call ${kill.call} (${calls[kill.call - 1]})${isBeside ? " beside another" : ""}`;
        expect([where, ...(await faultsOf(end.place, each)), ...end.logged]).toEqual([where]);
        expect([where, ...end.told]).toEqual([where, ...[...each.events].sort()]);
      }
    }
    console.log(`invoicing, ${each.name}: ${kills} kills at ${calls.length} calls`);
  },
  TIMEOUT_MS,
);
