import { afterAll, beforeAll, expect, test } from "vitest";
import { stopClock } from "../../test/harness/clock.ts";
import { startGateway, type TestGateway } from "../../test/harness/gateway.ts";

const clock = stopClock();
clock.advance(Date.UTC(2026, 10, 20, 12, 30) - clock.nowMs());
const PLAIN = { currency: "EUR", effectiveFrom: "2026-11-01T00:00:00Z", entries: [{ perRequest: { price: "0.001" } }] };
const UNFIT: [what: string, change: object, message: RegExp][] = [
  ["steps", { entries: [{ perRequest: { graduated: [{ upTo: 5, price: "1" }, { price: "2" }] } }] }, /plain prices/],
  ["an allowance", { entries: [{ perRequest: { price: "1", free: 5 } }] }, /plain prices/],
  ["a rate", { entries: [{ perSecond: { percentile: { silentSeconds: "count", price: "1" } } }] }, /plain prices/],
  ["a commitment", { commitment: "5" }, /plain prices/],
  ["a minimum", { entries: [{ perRequest: { price: "1" }, minimumPerRequest: "2" }] }, /no minimum per request/],
];

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startGateway({ override: () => ({ clock }) });
  await gateway.ask("PUT", "/admin/prices/plain", { body: PLAIN });
  await gateway.ask("POST", "/admin/tenants", { body: { id: "acme", billing: { priceBook: "plain", isPrepaid: true } } });
  await gateway.ask("POST", "/admin/tenants", { body: { id: "globex" } });
});
afterAll(() => gateway.close());

const billingOf = async (id: string) => (await gateway.deps.control.tenants.current(id))?.body.billing;

test.each(UNFIT)("a book with %s is refused for a tenant that pays before, and for one whose tenants do", async (what, change, message) => {
  const name = `with-${what.replaceAll(" ", "-")}`;
  await gateway.ask("PUT", `/admin/prices/${name}`, { body: { ...PLAIN, ...change } });

  const forTenant = await gateway.ask("PATCH", "/admin/tenants/globex", { body: { billing: { priceBook: name, isPrepaid: true } } });
  const forBook = await gateway.ask("PUT", "/admin/prices/plain", { body: { ...PLAIN, effectiveFrom: "2026-12-01T00:00:00Z", ...change } });

  expect(forTenant).toMatchObject({
    status: 400,
    json: { error: { field: "billing.priceBook", message: expect.stringMatching(message) } },
  });
  expect(forBook).toMatchObject({
    status: 409,
    json: { error: { field: "entries", message: expect.stringMatching(/'acme' pays from a balance/) } },
  });
  expect(await billingOf("globex")).toBeUndefined();
  expect((await gateway.deps.control.prices.current("plain"))?.revision).toBe(1);
});

test("a prepaid tenant's discount is refused: it is a larger grant", async () => {
  const body = { billing: { priceBook: "plain", isPrepaid: true, discountBps: 100 } };

  expect(await gateway.ask("PATCH", "/admin/tenants/globex", { body })).toMatchObject({
    status: 400,
    json: { error: { field: "billing.discountBps" } },
  });
  expect(await billingOf("globex")).toBeUndefined();
});

test("a balance is in the currency of its tenant's book", async () => {
  expect((await gateway.ask("GET", "/admin/balances/acme")).json).toMatchObject({ currency: "EUR", isPrepaid: true });
  expect((await gateway.ask("GET", "/admin/balances/globex")).json).toMatchObject({ currency: null, isPrepaid: false });
});

test("steps that were to come and are corrected before they are in force are no reason to refuse", async () => {
  const stepped = { entries: [{ perRequest: { graduated: [{ upTo: 5, price: "1" }, { price: "2" }] } }] };
  for (const change of [{}, { effectiveFrom: "2026-12-01T00:00:00Z", ...stepped }, { effectiveFrom: "2026-12-01T00:00:00.000Z" }])
    expect((await gateway.ask("PUT", "/admin/prices/corrected", { body: { ...PLAIN, ...change } })).status).toBeLessThan(300);

  const made = await gateway.ask("POST", "/admin/tenants", {
    body: { id: "umbrella", billing: { priceBook: "corrected", isPrepaid: true } },
  });

  expect(made.status).toBe(201);
});

test("a book whose plain prices are still to come is refused until they are in force", async () => {
  const stepped = { entries: [{ perRequest: { graduated: [{ upTo: 5, price: "1" }, { price: "2" }] } }] };
  await gateway.ask("PUT", "/admin/prices/changing", { body: { ...PLAIN, ...stepped } });
  await gateway.ask("PUT", "/admin/prices/changing", { body: { ...PLAIN, effectiveFrom: "2026-11-20T14:00:00Z" } });
  await gateway.ask("POST", "/admin/tenants", { body: { id: "initech" } });
  const body = { billing: { priceBook: "changing", isPrepaid: true } };

  const before = await gateway.ask("PATCH", "/admin/tenants/initech", { body });

  expect(before).toMatchObject({ status: 400, json: { error: { message: expect.stringMatching(/plain prices/) } } });
  expect(await billingOf("initech")).toBeUndefined();

  clock.advance(2 * 3_600_000);
  expect((await gateway.ask("PATCH", "/admin/tenants/initech", { body })).status).toBe(200);
});
