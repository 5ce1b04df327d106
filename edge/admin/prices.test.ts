import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { stopClock } from "../../test/harness/clock.ts";
import { startGateway, type TestGateway } from "../../test/harness/gateway.ts";

const HOUR_MS = 3_600_000;
const clock = stopClock();
clock.advance(Date.UTC(2026, 10, 20, 12, 30) - clock.nowMs());
const BOOK = { currency: "EUR", effectiveFrom: "2026-11-01T00:00:00Z", entries: [{ perRequest: { price: "0.001" } }] };

let gateway: TestGateway;
let name: string;
let books = 0;
beforeAll(async () => {
  gateway = await startGateway({ override: () => ({ clock }) });
});
afterAll(() => gateway.close());
beforeEach(() => {
  books += 1;
  name = `book-${books}`;
});

const put = (body: object) => gateway.ask("PUT", `/admin/prices/${name}`, { body });
const historyOf = async () => (await gateway.deps.control.prices.history(name, { limit: 10 })).items;
const hour = (hours: number) => new Date(Math.ceil(clock.nowMs() / HOUR_MS) * HOUR_MS + hours * HOUR_MS).toISOString();

test("a book is made, changed and read, and what it was stays", async () => {
  const made = await put({ ...BOOK, why: "launch" });
  const changed = await put({ ...BOOK, effectiveFrom: hour(1), entries: [{ perRequest: { price: "0.002" } }] });

  expect(made.status).toBe(201);
  expect(made.json).toMatchObject({ name, ...BOOK, revision: { number: 1, why: "launch" } });
  expect(changed.status).toBe(200);
  expect((await gateway.ask("GET", `/admin/prices/${name}`)).json).toEqual(changed.json);
  expect((await gateway.ask("GET", `/admin/prices/${name}/history`)).json).toEqual({ items: [changed.json, made.json] });
  expect((await gateway.ask("GET", "/admin/prices?limit=100")).json).toMatchObject({ items: expect.arrayContaining([changed.json]) });
});

test("prices that are not far enough ahead any more, when all tenants have been looked at, are refused", async () => {
  await put(BOOK);
  clock.advance(new Date(hour(0)).getTime() - clock.nowMs() - 130_000);
  const { tenants } = gateway.deps.control;
  const list = vi.spyOn(tenants, "list").mockImplementation(async () => {
    clock.advance(20_000); // so many tenants
    return { items: [] };
  });

  const refused = await put({ ...BOOK, effectiveFrom: hour(0), commitment: "5" });
  list.mockRestore();

  expect(refused).toMatchObject({ status: 400, json: { error: { field: "effectiveFrom" } } });
  expect(await historyOf()).toHaveLength(1);
});

test("setting what is set already changes nothing", async () => {
  const made = await put(BOOK);

  expect((await put(BOOK)).json).toEqual(made.json);
  expect(await historyOf()).toHaveLength(1);
});

test.each<[why: string, change: () => object, field: string]>([
  ["goes back in time", () => ({ effectiveFrom: "2026-10-01T00:00:00Z" }), "effectiveFrom"],
  ["begins when the one before did, which is in force", () => ({ entries: [{}] }), "effectiveFrom"],
  ["has begun already", () => ({ effectiveFrom: hour(-1) }), "effectiveFrom"],
  ["begins within an hour", () => ({ effectiveFrom: "2026-12-01T00:10:00Z" }), "effectiveFrom"],
  ["is in another currency", () => ({ effectiveFrom: hour(1), currency: "USD" }), "currency"],
  ["has a negative price", () => ({ effectiveFrom: hour(1), entries: [{ perRequest: { price: "-1" } }] }), "entries.0.perRequest.price"],
  ["has a huge price", () => ({ effectiveFrom: hour(1), entries: [{ perRequest: { price: "1e9" } }] }), "entries.0.perRequest.price"],
  ["prices one thing twice", () => ({ effectiveFrom: hour(1), entries: [{}, {}] }), "entries.1"],
  ["names the book", () => ({ effectiveFrom: hour(1), name: "other" }), "name"],
])("a change that %s is refused and not stored", async (_, change, field) => {
  await put(BOOK);

  const refused = await put({ ...BOOK, ...change() });

  expect(refused.status).toBe(400);
  expect(refused.json).toMatchObject({ error: { code: "invalid_request", field } });
  expect(await historyOf()).toHaveLength(1);
});

test("prices that are not in force yet are corrected from the same hour on, and never price anything", async () => {
  await put(BOOK);
  await put({ ...BOOK, effectiveFrom: hour(1), entries: [{ perRequest: { price: "2" } }] });

  const corrected = await put({ ...BOOK, effectiveFrom: hour(1), entries: [{ perRequest: { price: "0.002" } }] });

  expect(corrected).toMatchObject({ status: 200, json: { revision: { number: 3 } } });
  expect((await put({ ...BOOK, effectiveFrom: hour(0) })).json).toMatchObject({ error: { field: "effectiveFrom" } });
  const inForce = await gateway.deps.prices.inForce(name, Date.parse(hour(1)));
  expect(inForce?.revision).toBe(3);
  clock.advance(Date.parse(hour(1)) - clock.nowMs());
  expect((await put({ ...BOOK, effectiveFrom: hour(0) })).json).toMatchObject({ error: { field: "effectiveFrom" } });
});

test("the next full hour is too soon when it is closer than prices travel", async () => {
  await put(BOOK);
  const next = hour(0);
  clock.advance(Date.parse(next) - clock.nowMs() - 119_999);

  expect((await put({ ...BOOK, effectiveFrom: next })).json).toMatchObject({ error: { field: "effectiveFrom" } });
  clock.advance(-1);
  expect((await put({ ...BOOK, effectiveFrom: next })).status).toBe(200);
});

test("a book that is not there is not found, and a name that is none makes no book", async () => {
  expect((await gateway.ask("GET", "/admin/prices/nothing")).status).toBe(404);
  expect((await gateway.ask("GET", "/admin/prices/nothing/history")).status).toBe(404);
  expect((await gateway.ask("PUT", "/admin/prices/No%20name", { body: BOOK })).status).toBe(400);
});

test("a tenant is billed by a book that exists, in one currency, and by plain prices if it pays before", async () => {
  await put(BOOK);
  const bill = (billing: object) => gateway.ask("PATCH", "/admin/tenants/acme", { body: { billing } });
  await gateway.ask("POST", "/admin/tenants", { body: { id: "acme" } });
  expect((await bill({ priceBook: name, discountBps: 500 })).json).toMatchObject({
    billing: { priceBook: name, discountBps: 500, taxRateBps: 0 },
  });
  const [euros, dollars] = [`${name}-tiers`, `${name}-usd`];
  await gateway.ask("PUT", `/admin/prices/${euros}`, { body: { ...BOOK, commitment: "5" } });
  await gateway.ask("PUT", `/admin/prices/${dollars}`, { body: { ...BOOK, currency: "USD" } });

  const refused = [
    await bill({ priceBook: "nothing" }),
    await bill({ priceBook: dollars }),
    await bill({ priceBook: euros, isPrepaid: true }),
    await bill({ priceBook: name, discountBps: 10_001 }),
  ];

  expect(refused.map(({ status, json }) => [status, json])).toMatchObject([
    [400, { error: { field: "billing.priceBook" } }],
    [400, { error: { field: "billing.priceBook" } }],
    [400, { error: { field: "billing.priceBook" } }],
    [400, { error: { field: "billing.discountBps" } }],
  ]);
  expect((await gateway.deps.control.tenants.current("acme"))?.revision).toBe(2);
  const missing = await gateway.ask("POST", "/admin/tenants", { body: { id: "globex", billing: { priceBook: "nothing" } } });
  expect(missing.status).toBe(400);
  expect(await gateway.deps.control.tenants.current("globex")).toBeUndefined();
});

test("a tenant does not change to a book that begins later in the month, which would leave what it has used without a price", async () => {
  clock.advance(Date.UTC(2027, 3, 20, 12, 30) - clock.nowMs());
  await put(BOOK);
  const make = (begins: string) =>
    gateway.ask("PUT", `/admin/prices/${name}-${begins}`, { body: { ...BOOK, effectiveFrom: `${begins}T00:00:00Z` } });
  for (const begins of ["2027-04-01", "2027-04-15", "2027-05-01"]) await make(begins);
  const id = `of-${name}`;
  const bill = (book: string) => gateway.ask("PUT", `/admin/tenants/${id}/billing`, { body: { priceBook: book } });
  await gateway.ask("POST", "/admin/tenants", { body: { id, billing: { priceBook: name } } });

  const late = await bill(`${name}-2027-04-15`);
  const later = await bill(`${name}-2027-05-01`);

  for (const { status, json } of [late, later])
    expect([status, json]).toMatchObject([
      400,
      { error: { field: "billing.priceBook", message: expect.stringContaining("would be free") } },
    ]);
  expect((await gateway.deps.control.tenants.current(id))?.body.billing?.priceBook).toBe(name);
  expect((await bill(`${name}-2027-04-01`)).status).toBe(200);
  clock.advance(11 * 24 * HOUR_MS);
  expect((await bill(`${name}-2027-05-01`)).status).toBe(200);
});

test("a tenant whose first prices begin in the middle of a month may change to others that do", async () => {
  clock.advance(Date.UTC(2027, 5, 20, 12, 30) - clock.nowMs());
  const begins = { ...BOOK, effectiveFrom: "2027-06-20T12:00:00Z" };
  await put(begins);
  await gateway.ask("PUT", `/admin/prices/${name}-other`, { body: begins });
  await gateway.ask("POST", "/admin/tenants", { body: { id: `of-${name}`, billing: { priceBook: name } } });

  const changed = await gateway.ask("PUT", `/admin/tenants/of-${name}/billing`, { body: { priceBook: `${name}-other` } });

  expect(changed.status).toBe(200);
});
