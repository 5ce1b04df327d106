import { afterAll, beforeAll, expect, test } from "vitest";
import { startGateway, type TestGateway } from "../../test/harness/gateway.ts";

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startGateway();
  for (const id of ["acme", "globex"]) await gateway.ask("POST", "/admin/tenants", { body: { id } });
});
afterAll(() => gateway.close());

const balanceOf = async (tenant: string) =>
  (await gateway.ask("GET", `/admin/balances/${tenant}`)).json as { balance: string; grants: unknown[] };
const creditsOf = async (tenant: string) => (await gateway.ask("GET", `/admin/balances/${tenant}/credits`)).json as { items: unknown[] };

test("credits are given, corrected and shown, with who and why; the same id again changes nothing", async () => {
  const body = { id: "payment-17", amount: "25.5", expiresAt: "2099-01-01T00:00:00Z", priority: 3, why: "paid" };

  const first = await gateway.ask("POST", "/admin/balances/acme/grants", { body });
  const again = await gateway.ask("POST", "/admin/balances/acme/grants", { body });
  const less = await gateway.ask("POST", "/admin/balances/acme/adjustments", { body: { id: "fix-1", amount: "-0.5", why: "typo" } });

  expect([first.status, again.status, less.status]).toEqual([201, 201, 201]);
  expect(first.json).toMatchObject({ id: "payment-17", kind: "grant", amount: "25.5", state: "applied", revision: { why: "paid" } });
  expect(again.json).toEqual(first.json);
  expect(less.json).toMatchObject({ kind: "adjustment", amount: "-0.5" });
  expect(await balanceOf("acme")).toMatchObject({
    tenant: "acme",
    isPrepaid: false,
    balance: "25",
    leased: "0",
    debt: "0",
    grants: [{ id: "payment-17", amount: "25.5", left: "25", expiresAt: "2099-01-01T00:00:00.000Z", priority: 3 }],
  });
  expect((await creditsOf("acme")).items).toHaveLength(2);
});

test.each<[what: string, path: string, body: object, status: number, field: string]>([
  ["no id", "grants", { amount: "1", why: "x" }, 400, "id"],
  ["no reason", "grants", { id: "a", amount: "1" }, 400, "why"],
  ["a number", "grants", { id: "a", amount: 1, why: "x" }, 400, "amount"],
  ["a negative grant", "grants", { id: "a", amount: "-1", why: "x" }, 400, "amount"],
  ["nothing", "grants", { id: "a", amount: "0", why: "x" }, 400, "amount"],
  ["the past", "grants", { id: "a", amount: "1", why: "x", expiresAt: "2020-01-01T00:00:00Z" }, 400, "expiresAt"],
  ["a priority of 101", "grants", { id: "a", amount: "1", why: "x", priority: 101 }, 400, "priority"],
  ["more than is free", "adjustments", { id: "a", amount: "-1", why: "x" }, 409, "amount"],
])("%s is refused and nothing is stored in the balance", async (_, path, body, status, field) => {
  const refused = await gateway.ask("POST", `/admin/balances/globex/${path}`, { body });

  expect(refused).toMatchObject({ status, json: { error: { field } } });
  expect(await balanceOf("globex")).toMatchObject({ balance: "0", grants: [] });
});

test("there is no balance of a tenant that does not exist, and a closed one is given nothing", async () => {
  await gateway.ask("POST", "/admin/tenants", { body: { id: "gone" } });
  await gateway.ask("POST", "/admin/tenants/gone/close", {});

  expect((await gateway.ask("GET", "/admin/balances/nobody")).status).toBe(404);
  expect((await gateway.ask("POST", "/admin/balances/nobody/grants", { body: { id: "a", amount: "1", why: "x" } })).status).toBe(404);
  expect((await gateway.ask("POST", "/admin/balances/gone/grants", { body: { id: "a", amount: "1", why: "x" } })).status).toBe(409);
  expect((await creditsOf("gone")).items).toEqual([]);
});
