import { beforeEach, expect, test } from "vitest";
import { verifyInvoice } from "../../shared/billing/invoices/verify-invoice.ts";
import { rangeOfMonth } from "../../shared/billing/month.ts";
import type { PriceBook } from "../../shared/billing/prices/price-book.ts";
import { readBook } from "../../shared/billing/prices/read-book.ts";
import type { TenantBilling } from "../../shared/billing/tenant-billing.ts";
import { RATE_DEFAULT } from "../../shared/tenants/tenant.ts";
import { HOUR_MS, MINUTE_MS } from "../../shared/usage/period.ts";
import { AUDITED, BOOK, createOctober, NOVEMBER, OCTOBER, type October } from "../../test/harness/october.ts";
import { rowAt } from "../../test/harness/sealing.ts";

let world: October;
beforeEach(async () => {
  world = await createOctober();
});

/** What an operator agrees with a tenant on the first of the next month. */
async function agree(billing: Partial<TenantBilling>, atMs = NOVEMBER + 9 * HOUR_MS) {
  const current = await world.deps.tenants.current("acme");
  if (current === undefined) throw new Error("there is no tenant");
  const terms = { priceBook: "standard", discountBps: 0, taxRateBps: 1_900, ...current.body.billing, ...billing };
  const change = { by: "test", why: "agreed", atMs };
  await world.deps.tenants.append("acme", current.revision, { body: { ...current.body, billing: terms }, change });
}

test("a tenant that is changed for the first time after a month's end is billed for the month", async () => {
  await world.makeTenant("acme", {});
  await world.setSeller();
  await world.use("acme");
  await world.sealAt(AUDITED);
  const first = await world.deps.tenants.current("acme");
  if (first === undefined) throw new Error("there is no tenant");
  const change = { by: "test", why: "", atMs: NOVEMBER + HOUR_MS };
  await world.deps.tenants.append("acme", first.revision, { body: { ...first.body, isClosed: true }, change });

  await world.invoiceAt(AUDITED);

  expect((await world.issued("acme-2026-10")).totals.totalMinor).toBe("181");
});

test("what is agreed after a month's end is not in its invoice, which has the address and the tax of its day", async () => {
  await world.setPrices({ ...BOOK, name: "dearer", entries: [{ perRequest: { price: "50" } }] });
  await world.makeTenant("acme", {});
  await world.setSeller();
  await world.use("acme");
  await world.sealAt(AUDITED);

  await agree({ priceBook: "dearer", discountBps: 5_000 });
  await agree({ address: ["Elsewhere 1"], taxRateBps: 0 }, NOVEMBER + 10 * HOUR_MS);
  await world.invoiceAt(AUDITED);

  const { totals, issue } = await world.issued("acme-2026-10");
  expect(totals).toEqual({ netMinor: "152", taxMinor: "0", totalMinor: "152" });
  const document = JSON.parse(Buffer.from(world.objects.get(issue.documents.json.key) ?? []).toString());
  expect(document).toMatchObject({ priceBook: { name: "standard", discountBps: 0 }, buyer: { address: ["Elsewhere 1"] } });
});

test("a month in which nothing had a price is not billed by a book that came after it", async () => {
  await world.makeTenant("acme");
  await world.setSeller();
  await world.use("acme");
  await world.sealAt(AUDITED);

  await agree({});
  await world.invoiceAt(AUDITED);

  expect(await world.invoice("acme-2026-10")).toBeUndefined();
  expect(await world.deps.progress.read()).toMatchObject({ doneThrough: "2026-10" });
});

test("a commitment is not due for months before its tenant was there", async () => {
  const committed: PriceBook = { ...BOOK, commitment: "50", effectiveFrom: "2026-01-01T00:00:00Z" };
  await world.setPrices({ ...committed, name: "committed" });
  await world.setSeller();
  await world.deps.tenants.append("old", 0, {
    body: { id: "old", name: "old", isClosed: false, rate: RATE_DEFAULT },
    change: { by: "test", why: "", atMs: Date.UTC(2026, 7, 1) },
  });
  await world.makeTenant("new", { priceBook: "committed", taxRateBps: 0 });
  await world.sealAt(AUDITED);

  await world.invoiceAt(AUDITED);

  expect((await world.issued("new-2026-10")).totals.totalMinor).toBe("5000");
  expect(await world.invoice("new-2026-09")).toBeUndefined();
  expect(await world.deps.progress.read()).toMatchObject({ doneThrough: "2026-10" });
});

const DUES: PriceBook = {
  ...BOOK,
  name: "committed",
  commitment: "50",
  entries: [...BOOK.entries, { model: "minilm", perSecond: { reserved: { requestsPerSecond: 1, price: "3", overage: "1" } } }],
};

async function close(id: string, atMs: number) {
  const current = await world.deps.tenants.current(id);
  if (current === undefined) throw new Error("there is no tenant");
  const change = { by: "test", why: "", atMs };
  await world.deps.tenants.append(id, current.revision, { body: { ...current.body, isClosed: true }, change });
}

test("a tenant that is closed owes no commitment for the months after it, and what it used until then", async () => {
  await world.setPrices(DUES);
  await world.makeTenant("gone", { priceBook: "committed", taxRateBps: 0 });
  await world.setSeller();
  await close("gone", OCTOBER + 9 * HOUR_MS);
  const late = Date.UTC(2026, 11, 2, 3);
  await world.sealAt(late);

  await world.invoiceAt(late);

  expect((await world.issued("gone-2026-10")).totals.totalMinor).toBe("5000");
  expect([await world.invoice("gone-2026-11"), await world.invoice("gone-2026-12")]).toEqual([undefined, undefined]);
  expect(await world.deps.progress.read()).toMatchObject({ doneThrough: "2026-11" });
});

test("what a tenant used in the last seconds in which its keys were good is billed in the next month, and no dues with it", async () => {
  await world.setPrices(DUES);
  await world.makeTenant("gone", { priceBook: "committed", taxRateBps: 0, discountBps: 1_000 });
  await world.setSeller();
  await close("gone", NOVEMBER - 10_000);
  // Gateways know it within 30 s.
  for (const model of ["minilm", "smollm2"]) await world.settle(rowAt(NOVEMBER + 5_000, { tenant: "gone", model }));
  const late = Date.UTC(2026, 11, 2, 3);
  await world.sealAt(late);

  await world.invoiceAt(late);

  expect((await world.issued("gone-2026-10")).totals.totalMinor).toBe("5000");
  expect((await world.documentOf("gone-2026-11")).lines.map(({ component, amountMinor }) => [component, amountMinor])).toEqual([
    ["requests", "50"],
    ["inputTokens", "1"],
    ["discount", "-5"],
  ]);
  expect(await differencesOf("gone", "2026-11", "committed")).toEqual([]);
  expect(await world.invoice("gone-2026-12")).toBeUndefined();
});

test("what a balance has paid is taken off with its own discount, where the month is rated by the second after it, too", async () => {
  const perSecond = { peak: { of: "hour", price: "7.77" }, reserved: { requestsPerSecond: 1, price: "300", overage: "0.1" } } as const;
  await world.setPrices({ ...BOOK, name: "rated", entries: [{ model: "minilm", perRequest: { price: "0.5" }, perSecond }] });
  await world.makeTenant("mixed", { priceBook: "rated", discountBps: 1_000, taxRateBps: 0 });
  await world.setSeller();
  for (const minute of [0, 1, 2]) await world.settle(rowAt(OCTOBER + minute * MINUTE_MS, { tenant: "mixed", lease: "l1" }));
  for (const minute of [90, 91]) await world.settle(rowAt(OCTOBER + minute * MINUTE_MS, { tenant: "mixed" }));
  await world.sealAt(AUDITED);

  await world.invoiceAt(AUDITED);

  expect((await world.documentOf("mixed-2026-10")).lines.map(({ component, amountMinor }) => [component, amountMinor])).toEqual([
    ["requests", "250"],
    ["peakRate", "1554"],
    ["reservedRate", "30000"],
    ["discount", "-3180"],
    ["credit", "-135"],
  ]);
  expect(await differencesOf("mixed", "2026-10", "rated")).toEqual([]);
});

/** What whoever computes an invoice anew from its rows finds in it. */
async function differencesOf(tenant: string, month: string, name: string) {
  const { seals, rows, books } = world.deps;
  const [document, range, book] = [await world.documentOf(`${tenant}-${month}`), rangeOfMonth(month), await readBook(books, name)];
  const basis = { document, adjustments: [], book, seals: seals.ofTenant(tenant, range), rows: rows.rows(tenant, range) };
  return (await verifyInvoice(basis)).flatMap(({ differences }) => differences);
}
