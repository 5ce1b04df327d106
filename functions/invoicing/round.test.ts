import { beforeEach, expect, test } from "vitest";
import { sha256Hex } from "../../shared/base/hash.ts";
import { adjust } from "../../shared/billing/invoices/invoice.ts";
import { InvoiceDocument } from "../../shared/billing/invoices/invoice-document.ts";
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../../shared/usage/period.ts";
import type { TotalReader } from "../../shared/usage/seals/sealed.ts";
import { AUDITED, createOctober, NOVEMBER, OCTOBER, type October } from "../../test/harness/october.ts";
import { rowAt } from "../../test/harness/sealing.ts";
import { createRound } from "./round.ts";

let world: October;
beforeEach(async () => {
  world = await createOctober();
});

test("a month is a draft while it runs, and is issued when it was sealed and read again", async () => {
  await world.makeTenant("acme", {});
  await world.setSeller();
  await world.use("acme");

  await world.sealAt(OCTOBER + 10 * HOUR_MS);
  await world.invoiceAt(OCTOBER + 10 * HOUR_MS);
  const before = await world.invoice("acme-2026-10");
  await world.sealAt(NOVEMBER + 20 * HOUR_MS);
  await world.invoiceAt(NOVEMBER + 20 * HOUR_MS);
  const unaudited = await world.invoice("acme-2026-10");
  await world.sealAt(AUDITED);
  await world.invoiceAt(AUDITED);

  expect(before).toMatchObject({ state: "draft", totals: { netMinor: "152", taxMinor: "29", totalMinor: "181" } });
  expect(unaudited?.state).toBe("draft");
  const body = await world.issued("acme-2026-10");
  expect(body).toMatchObject({
    totals: { totalMinor: "181" },
    issue: { number: 1, name: "INV-000001" },
    closed: { of: 1_500, sealed: 1_500, audited: 1_500 },
  });
  expect(body.issue.issuedAt).toBe(new Date(AUDITED).toISOString());
  for (const kept of Object.values(body.issue.documents)) expect(sha256Hex(world.objects.get(kept.key) ?? "")).toBe(kept.sha256);
  const document = InvoiceDocument.parse(JSON.parse(Buffer.from(world.objects.get(body.issue.documents.json.key) ?? []).toString()));
  expect(document).toMatchObject({ name: "INV-000001", evidence: { rows: 3, buckets: 3, revised: 0 }, totals: body.totals });
});

test("rounds that come again or beside each other give each invoice one number, and none to a tenant that used nothing", async () => {
  await world.setSeller();
  for (const tenant of ["a", "b", "c", "idle"]) await world.makeTenant(tenant, {});
  for (const tenant of ["a", "b", "c"]) await world.use(tenant);
  await world.sealAt(AUDITED);

  await Promise.all([world.invoiceAt(AUDITED), world.invoiceAt(AUDITED + 1), world.invoiceAt(AUDITED + 2)]);
  await world.invoiceAt(AUDITED + HOUR_MS);

  const numbers = await Promise.all(["a", "b", "c"].map(async (tenant) => (await world.issued(`${tenant}-2026-10`)).issue.number));
  expect(numbers.sort()).toEqual([1, 2, 3]);
  expect(await world.invoice("idle-2026-10")).toBeUndefined();
  expect(await world.deps.numbers.read("invoices")).toEqual({ next: 4 });
  expect(await world.deps.progress.read()).toMatchObject({ doneThrough: "2026-10" });
});

test("after weeks of being off every month is issued, in order", async () => {
  await world.makeTenant("acme", {});
  await world.setSeller();
  await world.use("acme");
  await world.use("acme", NOVEMBER + DAY_MS);
  const late = Date.UTC(2026, 11, 2, 3);

  await world.sealAt(late);
  await world.invoiceAt(late);

  expect([(await world.issued("acme-2026-10")).issue.number, (await world.issued("acme-2026-11")).issue.number]).toEqual([1, 2]);
  expect(await world.deps.progress.read()).toMatchObject({ doneThrough: "2026-11" });
});

test("by a clock that is a month ahead nothing is issued, drafted or told, and by one that is right again all is as if it had always been", async () => {
  let skewMs = 31 * DAY_MS;
  const world = await createOctober({ use: { clockSkewMs: () => skewMs } });
  await world.makeTenant("acme", {});
  await world.setSeller();
  await world.use("acme");
  skewMs = 0;
  await world.sealAt(AUDITED);
  skewMs = 31 * DAY_MS;
  const stored = () => ["control", "balances", "events"].flatMap((table) => world.store.items(table));
  const before = stored();

  await expect(world.invoiceAt(AUDITED + 31 * DAY_MS)).rejects.toThrow("2678400 s off the store's");

  expect(stored()).toEqual(before);
  expect(world.objects.size).toBe(0);
  expect(world.logged.join()).toContain("a round waits until this clock is right");
  skewMs = 0;
  await world.invoiceAt(AUDITED + MINUTE_MS);
  const body = (await world.deps.invoices.current("acme-2026-10"))?.body;
  expect(body).toMatchObject({ issue: { number: 1, issuedAt: new Date(AUDITED + MINUTE_MS).toISOString() } });
  expect(await world.deps.progress.read()).toMatchObject({ doneThrough: "2026-10" });
});

test("without the seller's details the month stays a draft that says so, takes no number, and is issued once they are there", async () => {
  await world.makeTenant("acme", {});
  await world.use("acme");
  await world.sealAt(AUDITED);

  await world.invoiceAt(AUDITED);

  expect(await world.invoice("acme-2026-10")).toMatchObject({ state: "draft", problem: "The seller's details are not set." });
  expect(await world.deps.numbers.read("invoices")).toEqual({ next: 1 });
  await world.setSeller();
  await world.invoiceAt(AUDITED + MINUTE_MS);
  expect((await world.issued("acme-2026-10")).issue.number).toBe(1);
});

test("an adjustment that comes before the month is frozen is a line of the invoice; one that makes it negative keeps it a draft, computed once", async () => {
  await world.makeTenant("acme", {});
  await world.setSeller();
  await world.use("acme");
  await world.sealAt(AUDITED);
  await world.invoiceAt(NOVEMBER);

  await correct("a-1", "-200");
  await world.invoiceAt(AUDITED);
  const negative = await world.invoice("acme-2026-10");
  const totals: TotalReader["totals"] = (tenant, kind, range) =>
    range.fromMs < NOVEMBER ? expect.unreachable("October is computed again") : world.deps.totals.totals(tenant, kind, range);
  await createRound({ ...world.deps, totals: { totals } })({ nowMs: AUDITED + MINUTE_MS, signal: new AbortController().signal });
  await correct("a-2", "148");
  await world.invoiceAt(AUDITED + 2 * MINUTE_MS);

  expect(negative).toMatchObject({ state: "draft", problem: expect.stringContaining("not negative") });
  expect(world.logged).toEqual([]);
  expect((await world.issued("acme-2026-10")).totals).toEqual({ netMinor: "100", taxMinor: "19", totalMinor: "119" });
});

async function correct(id: string, amountMinor: string) {
  const current = await world.deps.invoices.current("acme-2026-10");
  if (current === undefined) throw new Error("there is no draft");
  const body = adjust(current.body, { id, amountMinor, reason: "outage", by: "k", at: "2026-11-01T00:00:00.000Z" });
  await world.deps.invoices.append("acme-2026-10", current.revision, { body, change: { by: "k", why: "outage", atMs: NOVEMBER } });
}

test("a draft's totals know of an adjustment after the next round", async () => {
  await world.makeTenant("acme", {});
  await world.use("acme");
  await world.sealAt(OCTOBER + 10 * HOUR_MS);
  await world.invoiceAt(OCTOBER + 10 * HOUR_MS);
  const made = await world.deps.invoices.current("acme-2026-10");
  if (made === undefined) throw new Error("there is no draft");
  const adjustment = { id: "a-1", amountMinor: "500", reason: "set-up", by: "k", at: "2026-10-31T11:00:00.000Z" };
  const change = { by: "k", why: "", atMs: OCTOBER + 11 * HOUR_MS };
  await world.deps.invoices.append("acme-2026-10", made.revision, { body: adjust(made.body, adjustment), change });

  await world.invoiceAt(OCTOBER + 11 * HOUR_MS + MINUTE_MS);
  const adjusted = await world.deps.invoices.current("acme-2026-10");
  await world.invoiceAt(OCTOBER + 11 * HOUR_MS + 2 * MINUTE_MS);

  expect(made.body.totals.netMinor).toBe("152");
  expect(adjusted?.body).toMatchObject({ state: "draft", totals: { netMinor: "652", totalMinor: "776" } });
  expect(await world.deps.invoices.current("acme-2026-10")).toEqual(adjusted);
});

test("a draft of which nothing changes any more, since sealing stands still, is computed each six hours and not in each round", async () => {
  await world.makeTenant("acme", {});
  await world.setSeller();
  await world.use("acme");
  await world.sealAt(OCTOBER + 10 * HOUR_MS);
  const months: string[] = [];
  const totals: TotalReader["totals"] = (tenant, kind, range) => {
    if (range.fromMs < NOVEMBER) months.push(new Date(range.fromMs).toISOString());
    return world.deps.totals.totals(tenant, kind, range);
  };
  const round = createRound({ ...world.deps, totals: { totals } });

  // Minute by minute for a while, on two days after the month's end.
  for (const fromMs of [NOVEMBER + 12 * HOUR_MS, NOVEMBER + 36 * HOUR_MS])
    for (let minute = 0; minute < 10; minute += 1)
      await round({ nowMs: fromMs + minute * MINUTE_MS, signal: new AbortController().signal });

  expect((await world.invoice("acme-2026-10"))?.state).toBe("draft");
  expect(months).toHaveLength(2);
});

test("one tenant whose book is not there does not keep the others from their invoices", async () => {
  await world.makeTenant("broken", { priceBook: "none" });
  await world.makeTenant("sound", {});
  await world.setSeller();
  await world.use("broken");
  await world.use("sound");
  await world.sealAt(AUDITED);

  await world.invoiceAt(AUDITED);

  expect((await world.issued("sound-2026-10")).issue.number).toBe(1);
  expect(world.logged.join()).toContain("a month could not be billed");
  expect(await world.deps.progress.read()).toMatchObject({ doneThrough: "2026-09" });
});

test("a round that has done its share says so, and the next ones go on from there", async () => {
  await world.setSeller();
  const tenants = Array.from({ length: 60 }, (_, place) => `t${String(place).padStart(2, "0")}`);
  for (const tenant of tenants) {
    await world.makeTenant(tenant, {});
    await world.settle(rowAt(OCTOBER + HOUR_MS, { tenant }));
  }
  await world.sealAt(AUDITED);

  const first = await world.round({ nowMs: AUDITED, signal: new AbortController().signal });
  await world.invoiceAt(AUDITED);

  expect(first).toEqual({ hasMore: true });
  const numbers = await Promise.all(tenants.map(async (tenant) => (await world.issued(`${tenant}-2026-10`)).issue.number));
  expect(numbers.sort((a, b) => a - b)).toEqual(tenants.map((_, place) => place + 1));
}, 60_000);

test("what a prepaid tenant has used stands on its invoice and is taken off again; what it used without a lease is due", async () => {
  await world.makeTenant("paid", { isPrepaid: true, taxRateBps: 1_900 });
  await world.makeTenant("mixed", { isPrepaid: true, taxRateBps: 0, discountBps: 1_000 });
  await world.setSeller();
  for (const minute of [0, 1, 90]) await world.settle(rowAt(OCTOBER + minute * MINUTE_MS, { tenant: "paid", lease: "l1" }));
  await world.settle(rowAt(OCTOBER, { tenant: "mixed", lease: "l2" }));
  await world.settle(rowAt(OCTOBER + MINUTE_MS, { tenant: "mixed", inputTokens: 0 }));
  await world.sealAt(AUDITED);

  await world.invoiceAt(AUDITED);

  expect((await world.issued("paid-2026-10")).totals).toEqual({ netMinor: "0", taxMinor: "0", totalMinor: "0" });
  expect((await world.issued("mixed-2026-10")).totals.totalMinor).toBe("45");
});
