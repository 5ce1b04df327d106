import { beforeEach, expect, test } from "vitest";
import { budgetEvents } from "../../shared/billing/balances/watch-budget.ts";
import { askCredit } from "../../shared/billing/invoices/accept-credit.ts";
import { type Invoice, pay, voidInvoice } from "../../shared/billing/invoices/invoice.ts";
import { askReplacement } from "../../shared/billing/invoices/replace-invoice.ts";
import type { NewReplacement } from "../../shared/billing/invoices/replacement.ts";
import type { TenantBilling } from "../../shared/billing/tenant-billing.ts";
import { scrubTenant } from "../../shared/tenants/scrub.ts";
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../../shared/usage/period.ts";
import { AUDITED, BOOK, createOctober, NOVEMBER, type October } from "../../test/harness/october.ts";
import { roundsAt, rowAt } from "../../test/harness/sealing.ts";
import { createRound } from "./round.ts";

/** In the last hours of October, so that little is sealed. */
const OCTOBER = NOVEMBER - 4 * HOUR_MS;
const VOIDED = AUDITED + 20 * DAY_MS;
const MONTH = "acme-2026-10";

let world: October;
beforeEach(async () => {
  world = await createOctober({ fromMs: OCTOBER });
  await world.setSeller();
});

/** Acme's October: three requests of 7 tokens, 1.52 EUR before tax; then its invoice is issued. */
async function issueOctober(billing: Partial<TenantBilling> = {}, lease?: string) {
  await world.makeTenant("acme", billing);
  const more = lease === undefined ? {} : { lease };
  for (const minute of [0, 1, 90]) await world.settle(rowAt(OCTOBER + minute * MINUTE_MS, { tenant: "acme", ...more }));
  await world.sealAt(AUDITED);
  await world.invoiceAt(AUDITED);
}

async function change(id: string, to: (invoice: Invoice) => Invoice, atMs = VOIDED) {
  const current = await world.deps.invoices.current(id);
  if (current === undefined) throw new Error(`there is no ${id}`);
  await world.deps.invoices.append(id, current.revision, { body: to(current.body), change: { by: "k", why: "test", atMs } });
}

const takeBack = (id: string) => change(id, (invoice) => voidInvoice(invoice, { reason: "wrong", at: new Date(VOIDED).toISOString() }));

async function replace(id: string, ask: NewReplacement = { reason: "right" }, atMs = VOIDED) {
  const invoice = (await world.deps.invoices.current(id))?.body;
  if (invoice === undefined) throw new Error(`there is no ${id}`);
  return askReplacement(world.deps, { invoice, ask, change: { by: "k", why: ask.reason, atMs } });
}

async function bill(billing: Partial<TenantBilling>) {
  const tenant = await world.deps.tenants.current("acme");
  if (tenant?.body.billing === undefined) throw new Error("acme has no terms");
  const body = { ...tenant.body, billing: { ...tenant.body.billing, ...billing } };
  await world.deps.tenants.append("acme", tenant.revision, { body, change: { by: "k", why: "corrected", atMs: VOIDED } });
}

test("a void month is invoiced again only when somebody asks, with the next number and today's terms, and each says which the other is", async () => {
  await issueOctober();
  await takeBack(MONTH);
  await bill({ taxRateBps: 700, name: "Acme Deutschland GmbH" });
  await world.invoiceAt(VOIDED);
  const unasked = await world.deps.invoices.current(`${MONTH}-r2`);
  await replace(MONTH);

  await world.invoiceAt(VOIDED + HOUR_MS);

  expect(unasked).toBeUndefined();
  const [old, now] = [await world.invoiceIn(MONTH, "void"), await world.invoiceIn(`${MONTH}-r2`, "issued")];
  expect(old).toMatchObject({ issue: { number: 1, name: "INV-000001" }, replacedBy: { id: `${MONTH}-r2`, name: "INV-000002" } });
  expect(now).toMatchObject({
    issue: { number: 2, name: "INV-000002", issuedAt: new Date(VOIDED + HOUR_MS).toISOString() },
    replaces: { id: MONTH, name: "INV-000001", issuedAt: new Date(AUDITED).toISOString() },
    totals: { netMinor: "152", taxMinor: "11", totalMinor: "163" },
    credits: [],
  });
  const document = await world.documentOf(`${MONTH}-r2`);
  expect(document).toMatchObject({
    name: "INV-000002",
    replaces: now.replaces,
    buyer: { name: "Acme Deutschland GmbH" },
    totals: now.totals,
  });
  expect(document.evidence).toEqual((await world.documentOf(MONTH)).evidence);
  expect((await world.documentOf(MONTH)).totals.totalMinor).toBe("181");
  expect(await world.deps.numbers.read("invoices")).toEqual({ next: 3 });
});

test("rounds beside each other and again, and two who ask at once, make one replacement with one number", async () => {
  await issueOctober();
  await takeBack(MONTH);

  const asked = await Promise.all([replace(MONTH), replace(MONTH)]);
  await Promise.all([world.invoiceAt(VOIDED), world.invoiceAt(VOIDED), world.invoiceAt(VOIDED)]);
  await world.invoiceAt(VOIDED + HOUR_MS);
  const again = await replace(MONTH);

  expect(asked[0]).toEqual(asked[1]);
  expect(again.body).toMatchObject({ state: "issued", id: `${MONTH}-r2`, issued: { name: "INV-000002" } });
  expect((await world.invoiceIn(`${MONTH}-r2`, "issued")).issue.number).toBe(2);
  expect(await world.deps.numbers.read("invoices")).toEqual({ next: 3 });
  expect(world.logged).toEqual([]);
});

test("what stands is not replaced, and what is asked in other words while it is being replaced is refused; nothing is stored", async () => {
  await issueOctober();
  await expect(replace(MONTH)).rejects.toThrow("stands: only one that is void, or credited as a whole, is replaced");
  expect(await world.deps.replacements.current(`${MONTH}-r2`)).toBeUndefined();
  await takeBack(MONTH);
  await replace(MONTH);

  await expect(replace(MONTH, { reason: "another" })).rejects.toThrow("being replaced already");
  const other: NewReplacement = { reason: "right", adjustments: [{ id: "a", amountMinor: "1", reason: "x" }] };
  await expect(replace(MONTH, other)).rejects.toThrow("being replaced already");

  expect((await world.deps.replacements.current(`${MONTH}-r2`))?.revision).toBe(1);
});

test("a replacement can be void and replaced, too; numbers go on without a gap", async () => {
  await issueOctober();
  for (const id of [MONTH, `${MONTH}-r2`]) {
    await takeBack(id);
    await replace(id);
    await world.invoiceAt(VOIDED);
  }

  expect((await world.invoiceIn(`${MONTH}-r2`, "void")).replacedBy?.id).toBe(`${MONTH}-r3`);
  expect(await world.invoiceIn(`${MONTH}-r3`, "issued")).toMatchObject({ issue: { number: 3 }, replaces: { name: "INV-000002" } });
  expect(await world.deps.numbers.read("invoices")).toEqual({ next: 4 });
});

test("the new invoice is paid and credited on its own; the void one takes neither", async () => {
  await issueOctober();
  await takeBack(MONTH);
  await replace(MONTH);
  await world.invoiceAt(VOIDED);
  const note = { by: "k", why: "outage", atMs: VOIDED };

  await askCredit(world.deps, { invoice: `${MONTH}-r2`, ask: { id: "r-1", amountMinor: "81", reason: "outage" }, change: note });
  await world.invoiceAt(VOIDED + HOUR_MS);
  await change(`${MONTH}-r2`, (invoice) => pay(invoice, { reference: "t", paidAt: "2026-11-30T00:00:00.000Z" }), VOIDED + HOUR_MS);

  const ofVoid = { invoice: MONTH, ask: { id: "r-2", amountMinor: "1", reason: "x" }, change: note };
  await expect(askCredit(world.deps, ofVoid)).rejects.toThrow("only an issued or paid");
  await expect(change(MONTH, (invoice) => pay(invoice, { reference: "t", paidAt: "2026-11-30T00:00:00.000Z" }))).rejects.toThrow("void");
  expect(await world.invoiceIn(`${MONTH}-r2`, "paid")).toMatchObject({ credits: [{ id: "r-1", amountMinor: "81" }] });
  expect((await world.deps.creditNotes.current(`${MONTH}-r2.r-1`))?.body).toMatchObject({ state: "issued", name: "CN-000001" });
});

const payMonth = () => change(MONTH, (invoice) => pay(invoice, { reference: "t", paidAt: "2026-11-10T00:00:00.000Z" }), VOIDED);
const creditOf = (id: string, amountMinor?: string) =>
  askCredit(world.deps, {
    invoice: MONTH,
    ask: { id, reason: "wrong company", ...(amountMinor === undefined ? {} : { amountMinor }) },
    change: { by: "k", why: "wrong company", atMs: VOIDED },
  });

test("a paid invoice that was credited as a whole is replaced, too, and says so; one that was credited in part stands, and nothing is stored", async () => {
  await issueOctober();
  await payMonth();
  await creditOf("r-1", "81");
  await expect(replace(MONTH)).rejects.toThrow("is paid and stands");
  expect(await world.deps.replacements.current(`${MONTH}-r2`)).toBeUndefined();
  await creditOf("r-2");
  await replace(MONTH);

  await Promise.all([world.invoiceAt(VOIDED + HOUR_MS), world.invoiceAt(VOIDED + HOUR_MS)]);

  const [old, now] = [await world.invoiceIn(MONTH, "paid"), await world.issued(`${MONTH}-r2`)];
  expect(old).toMatchObject({ payment: { reference: "t" }, replacedBy: { id: `${MONTH}-r2`, name: "INV-000002" } });
  expect(old.credits.map(({ amountMinor }) => amountMinor)).toEqual(["81", "100"]);
  expect(now).toMatchObject({ replaces: { id: MONTH, name: "INV-000001" }, totals: old.totals, credits: [] });
  expect((await world.deps.creditNotes.current(`${MONTH}.r-2`))?.body).toMatchObject({ state: "issued" });
  expect(world.logged).toEqual([]);
});

test("who pays a credited invoice while its replacement is written into it loses nothing of either", async () => {
  await issueOctober();
  await creditOf("r-1");
  await replace(MONTH);
  const { invoices } = world.deps;
  let isFirst = true;
  const append: typeof invoices.append = async (id, after, entry) => {
    if (id === MONTH && isFirst) {
      isFirst = false;
      await payMonth();
    }
    return invoices.append(id, after, entry);
  };

  await roundsAt(createRound({ ...world.deps, invoices: { ...invoices, append } }), VOIDED + HOUR_MS);

  expect(await world.invoiceIn(MONTH, "paid")).toMatchObject({ payment: { reference: "t" }, replacedBy: { id: `${MONTH}-r2` } });
  expect((await world.deps.replacements.current(`${MONTH}-r2`))?.body).toMatchObject({ state: "issued" });
});

test("adjustments are taken over, unless others are given in their place", async () => {
  await world.makeTenant("acme", { taxRateBps: 0 });
  await world.settle(rowAt(OCTOBER, { tenant: "acme", inputTokens: 0 }));
  await world.sealAt(OCTOBER + 3 * HOUR_MS);
  await world.invoiceAt(OCTOBER + 3 * HOUR_MS);
  const adjustment = { id: "a-1", amountMinor: "-10", reason: "outage", by: "k", at: new Date(OCTOBER).toISOString() };
  await change(MONTH, (invoice) => ({ ...invoice, adjustments: [adjustment] }), OCTOBER + 3 * HOUR_MS);
  await world.sealAt(AUDITED);
  await world.invoiceAt(AUDITED);

  await takeBack(MONTH);
  await replace(MONTH);
  await world.invoiceAt(VOIDED);
  await takeBack(`${MONTH}-r2`);
  await replace(`${MONTH}-r2`, { reason: "it was longer", adjustments: [{ id: "a-2", amountMinor: "-20", reason: "whole outage" }] });
  await world.invoiceAt(VOIDED);

  const totals = async (id: string) => (await world.documentOf(id)).totals.totalMinor;
  expect([await totals(MONTH), await totals(`${MONTH}-r2`), await totals(`${MONTH}-r3`)]).toEqual(["40", "40", "30"]);
  expect((await world.documentOf(`${MONTH}-r3`)).lines.at(-1)).toMatchObject({
    component: "adjustment",
    adjustment: { id: "a-2", by: "k" },
  });
});

test("a replacement that would be negative stays a draft that says why, takes no number, and is issued once it is corrected", async () => {
  await issueOctober({ taxRateBps: 0 });
  await takeBack(MONTH);
  await replace(MONTH, { reason: "x", adjustments: [{ id: "a-1", amountMinor: "-500", reason: "too much" }] });
  await world.invoiceAt(VOIDED);
  const draft = await world.invoiceIn(`${MONTH}-r2`, "draft");

  await change(`${MONTH}-r2`, (invoice) => ({ ...invoice, adjustments: [] }));
  await world.invoiceAt(VOIDED + 40 * DAY_MS); // in another month than that in which it was asked for

  expect(draft).toMatchObject({ problem: expect.stringContaining("not negative"), replaces: { id: MONTH } });
  expect(await world.invoiceIn(`${MONTH}-r2`, "issued")).toMatchObject({ issue: { number: 2 }, totals: { totalMinor: "152" } });
});

test("what was paid from a balance stands on the new invoice as on the old one, and no balance changes", async () => {
  await issueOctober({ isPrepaid: true }, "l1");
  const balances = () => world.store.items("balances").filter(({ pk }) => !/"(book|invoicing)#/.test(JSON.stringify(pk)));
  const before = balances();
  await takeBack(MONTH);
  await replace(MONTH);
  await world.invoiceAt(VOIDED);

  expect((await world.documentOf(`${MONTH}-r2`)).lines).toEqual((await world.documentOf(MONTH)).lines);
  expect((await world.invoiceIn(`${MONTH}-r2`, "issued")).totals.totalMinor).toBe("0");
  expect(balances()).toEqual(before);
});

test("a budget counts what was used, and not what was invoiced again", async () => {
  const budget = { amount: "1", alertPercents: [100] };
  await issueOctober({ budget });
  const spent = async () => {
    const tenant = (await world.deps.tenants.current("acme"))?.body;
    if (tenant === undefined) throw new Error("there is no acme");
    const nowMs = OCTOBER + 3 * HOUR_MS;
    return (await budgetEvents(world.totals, { tenant, book: [{ revision: 1, body: BOOK }], nowMs })).map(({ id, data }) => [id, data]);
  };
  const before = await spent();
  await takeBack(MONTH);
  await replace(MONTH);
  await world.invoiceAt(VOIDED);

  expect(before).toMatchObject([[expect.any(String), { month: "2026-10", spent: "1.521" }]]);
  expect(await spent()).toEqual(before);
});

test("a row that came after its bucket was read again is in neither of the two", async () => {
  await issueOctober();
  await world.settle(rowAt(OCTOBER + 5 * MINUTE_MS, { tenant: "acme", inputTokens: 1_000_000 }));
  await world.sealAt(VOIDED);
  await takeBack(MONTH);
  await replace(MONTH);

  await world.invoiceAt(VOIDED);

  expect((await world.documentOf(`${MONTH}-r2`)).totals).toEqual((await world.documentOf(MONTH)).totals);
  expect((await world.documentOf(`${MONTH}-r2`)).evidence?.rows).toBe(3);
});

test("to whoever is erased no invoice is made, in place of a void one or at all, and no number is taken; the month is done", async () => {
  await issueOctober();
  await takeBack(MONTH);
  await replace(MONTH);
  await world.makeTenant("late", {});
  await world.settle(rowAt(OCTOBER, { tenant: "late" }));
  for (const id of ["acme", "late"]) {
    const tenant = await world.deps.tenants.current(id);
    if (tenant === undefined) throw new Error(`there is no ${id}`);
    await world.deps.tenants.append(id, tenant.revision, {
      body: scrubTenant({ ...tenant.body, isClosed: true }),
      change: { by: "caretaker", why: "deletion", atMs: VOIDED },
    });
  }

  await world.invoiceAt(VOIDED + HOUR_MS);

  expect(await world.deps.invoices.current(`${MONTH}-r2`)).toBeUndefined();
  expect(await world.deps.invoices.current("late-2026-10")).toBeUndefined();
  expect(await world.deps.numbers.read("invoices")).toEqual({ next: 2 });
  expect(world.logged).toEqual([]);
  expect(await world.deps.progress.read()).toMatchObject({ doneThrough: "2026-10" });
});
