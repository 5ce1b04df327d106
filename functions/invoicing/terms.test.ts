import { beforeEach, expect, test } from "vitest";
import type { InvoiceIn } from "../../shared/billing/invoices/invoice.ts";
import type { PriceBook } from "../../shared/billing/prices/price-book.ts";
import type { TenantBilling } from "../../shared/billing/tenant-billing.ts";
import { RATE_DEFAULT } from "../../shared/tenants/tenant.ts";
import { HOUR_MS, MINUTE_MS } from "../../shared/usage/period.ts";
import { createInvoicingWorld, type InvoicingWorld } from "../../test/harness/invoicing.ts";
import { rowAt } from "../../test/harness/sealing.ts";

/** The first tenant comes late in October: nothing before is sealed, and the tests are quick. */
const OCTOBER = Date.UTC(2026, 9, 31);
const NOVEMBER = Date.UTC(2026, 10, 1);
/** When October is sealed and read again. */
const AUDITED = NOVEMBER + 26 * HOUR_MS;
const BOOK: PriceBook = {
  name: "standard",
  currency: "EUR",
  effectiveFrom: "2026-10-01T00:00:00Z",
  entries: [{ perRequest: { price: "0.5" }, per1000InputTokens: { price: "1" } }],
};

let world: InvoicingWorld;
beforeEach(async () => {
  world = createInvoicingWorld(OCTOBER);
  await world.setPrices(BOOK);
});

const invoice = async (id: string) => (await world.deps.invoices.current(id))?.body;

async function issued(id: string): Promise<InvoiceIn<"issued">> {
  const body = await invoice(id);
  if (body?.state !== "issued") throw new Error(`${id} is ${body?.state}`);
  return body;
}

/** Three requests of 7 tokens: 1.50 and 0.02 EUR before tax. */
async function use(tenant: string) {
  for (const minute of [0, 1, 90]) await world.settle(rowAt(OCTOBER + 5 * HOUR_MS + minute * MINUTE_MS, { tenant }));
}

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
  await use("acme");
  await world.sealAt(AUDITED);
  const first = await world.deps.tenants.current("acme");
  if (first === undefined) throw new Error("there is no tenant");
  const change = { by: "test", why: "", atMs: NOVEMBER + HOUR_MS };
  await world.deps.tenants.append("acme", first.revision, { body: { ...first.body, isClosed: true }, change });

  await world.invoiceAt(AUDITED);

  expect((await issued("acme-2026-10")).totals.totalMinor).toBe("181");
});

test("what is agreed after a month's end is not in its invoice, which has the address and the tax of its day", async () => {
  await world.setPrices({ ...BOOK, name: "dearer", entries: [{ perRequest: { price: "50" } }] });
  await world.makeTenant("acme", {});
  await world.setSeller();
  await use("acme");
  await world.sealAt(AUDITED);

  await agree({ priceBook: "dearer", discountBps: 5_000 });
  await agree({ address: ["Elsewhere 1"], taxRateBps: 0 }, NOVEMBER + 10 * HOUR_MS);
  await world.invoiceAt(AUDITED);

  const { totals, issue } = await issued("acme-2026-10");
  expect(totals).toEqual({ netMinor: "152", taxMinor: "0", totalMinor: "152" });
  const document = JSON.parse(Buffer.from(world.objects.get(issue.documents.json.key) ?? []).toString());
  expect(document).toMatchObject({ priceBook: { name: "standard", discountBps: 0 }, buyer: { address: ["Elsewhere 1"] } });
});

test("a month in which nothing had a price is not billed by a book that came after it", async () => {
  await world.makeTenant("acme");
  await world.setSeller();
  await use("acme");
  await world.sealAt(AUDITED);

  await agree({});
  await world.invoiceAt(AUDITED);

  expect(await invoice("acme-2026-10")).toBeUndefined();
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

  expect((await issued("new-2026-10")).totals.totalMinor).toBe("5000");
  expect(await invoice("new-2026-09")).toBeUndefined();
  expect(await world.deps.progress.read()).toMatchObject({ doneThrough: "2026-10" });
});

test("a tenant that is closed owes no commitment for the months after it, and what it used until then", async () => {
  const dues = {
    ...BOOK,
    entries: [...BOOK.entries, { model: "minilm", perSecond: { reserved: { requestsPerSecond: 1, price: "3", overage: "1" } } }],
  };
  await world.setPrices({ ...dues, name: "committed", commitment: "50" });
  await world.makeTenant("gone", { priceBook: "committed", taxRateBps: 0 });
  await world.setSeller();
  const first = await world.deps.tenants.current("gone");
  if (first === undefined) throw new Error("there is no tenant");
  const change = { by: "test", why: "", atMs: OCTOBER + 9 * HOUR_MS };
  await world.deps.tenants.append("gone", first.revision, { body: { ...first.body, isClosed: true }, change });
  const late = Date.UTC(2026, 11, 2, 3);
  await world.sealAt(late);

  await world.invoiceAt(late);

  expect((await issued("gone-2026-10")).totals.totalMinor).toBe("5000");
  expect([await invoice("gone-2026-11"), await invoice("gone-2026-12")]).toEqual([undefined, undefined]);
  expect(await world.deps.progress.read()).toMatchObject({ doneThrough: "2026-11" });
});
