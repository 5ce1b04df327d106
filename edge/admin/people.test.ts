import { afterAll, beforeAll, expect, test } from "vitest";
import { CreatedKey } from "../../shared/keys/key-requests.ts";
import { startGateway, type TestGateway } from "../../test/harness/gateway.ts";

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(() => gateway.close());

const make = (body: object) => gateway.ask("POST", "/admin/people", { body });

async function keyOf(id: string, role: string): Promise<string> {
  await make({ id, name: id, role });
  const made = await gateway.ask("POST", "/admin/keys", { body: { tenant: "operators", name: "laptop", person: id } });
  return CreatedKey.parse(made.json).key;
}

test("a person is made, changed field by field, and stays in the history", async () => {
  const made = await make({ id: "ann", name: "Ann", role: "viewer", why: "new colleague" });
  const changed = await gateway.ask("PATCH", "/admin/people/ann", { body: { role: "ml" } });

  expect(made).toMatchObject({ status: 201, json: { id: "ann", role: "viewer", isActive: true, revision: { why: "new colleague" } } });
  expect(changed.json).toMatchObject({ name: "Ann", role: "ml", revision: { number: 2 } });
  expect((await gateway.ask("GET", "/admin/people/ann/history")).json).toMatchObject({ items: [{ role: "ml" }, { role: "viewer" }] });
  expect((await gateway.ask("GET", "/admin/people")).json).toMatchObject({ items: [{ id: "ann" }] });
});

test.each([
  ["an id that is there", { id: "ann" }, 409, "id"],
  ["a role that is none", { id: "bob", role: "root" }, 400, "role"],
  ["a strange id", { id: "Bob!" }, 400, "id"],
  ["an unknown field", { id: "bob", isActive: false }, 400, "isActive"],
])("%s is refused, and nobody is made", async (_, body, status, field) => {
  const refused = await make({ name: "Bob", role: "viewer", ...body });

  expect(refused).toMatchObject({ status, json: { error: { field } } });
  expect(await gateway.deps.control.people.current("bob")).toBeUndefined();
});

test("who made a change is told by key and by person", async () => {
  const key = await keyOf("carla", "admin");

  const made = await gateway.ask("POST", "/admin/tenants", { key, body: { id: "acme" } });

  expect(made.json).toMatchObject({ revision: { by: key.split("_")[3], person: "carla" } });
});

test("roles open what the table says: a viewer reads all and changes nothing, others change their parts", async () => {
  const [viewer, ml, finance] = [await keyOf("vera", "viewer"), await keyOf("max", "ml"), await keyOf("finn", "finance")];
  const statusOf = async (key: string, method: string, path: string) =>
    (await gateway.ask(method, path, { key, ...(method === "GET" ? {} : { body: {} }) })).status;

  for (const key of [viewer, ml, finance]) {
    expect(await statusOf(key, "GET", "/admin/tenants")).toBe(200);
    expect(await statusOf(key, "GET", "/admin/people")).toBe(200);
    expect(await statusOf(key, "POST", "/admin/tenants")).toBe(403);
    expect(await statusOf(key, "POST", "/admin/keys")).toBe(403);
    expect(await statusOf(key, "PATCH", "/admin/people/vera")).toBe(403);
  }
  expect(await statusOf(viewer, "POST", "/admin/models/x/versions")).toBe(403);
  expect(await statusOf(finance, "POST", "/admin/models/x/versions")).toBe(403);
  expect(await statusOf(ml, "POST", "/admin/models/x/versions")).toBe(400);
  expect(await statusOf(ml, "PUT", "/admin/splits/x")).toBe(400);
});

test("finance says how a tenant is billed, and nothing else of it", async () => {
  const key = await keyOf("fred", "finance");
  await gateway.ask("POST", "/admin/tenants", { body: { id: "billed" } });
  await gateway.ask("PUT", "/admin/prices/plain", {
    body: { currency: "EUR", effectiveFrom: "2026-11-01T00:00:00Z", entries: [{ perRequest: { price: "0.01" } }] },
  });

  const body = { priceBook: "plain", taxRateBps: 1_900, address: ["1 Main St"], why: "moved" };
  const changed = await gateway.ask("PUT", "/admin/tenants/billed/billing", { key, body });
  const refused = await gateway.ask("PATCH", "/admin/tenants/billed", { key, body: { rate: { requestsPerSecond: 1, burst: 1 } } });
  const unknown = await gateway.ask("PUT", "/admin/tenants/billed/billing", { key, body: { priceBook: "none" } });

  expect(changed.json).toMatchObject({
    billing: { priceBook: "plain", discountBps: 0, taxRateBps: 1_900, address: ["1 Main St"] },
    revision: { number: 2, why: "moved" },
  });
  expect([refused.status, unknown.status]).toEqual([403, 400]);
  expect((await gateway.deps.control.tenants.current("billed"))?.revision).toBe(2);
});

test("nobody raises or ends themselves, but may change their name", async () => {
  const key = await keyOf("dora", "admin");

  for (const body of [{ role: "viewer" }, { isActive: false }]) {
    expect((await gateway.ask("PATCH", "/admin/people/dora", { key, body })).status).toBe(409);
  }
  expect((await gateway.ask("PATCH", "/admin/people/dora", { key, body: { name: "Dora D." } })).json).toMatchObject({ role: "admin" });
});

test("an inactive person gets no keys", async () => {
  await make({ id: "gone", name: "Gone", role: "viewer" });
  await gateway.ask("PATCH", "/admin/people/gone", { body: { isActive: false } });

  const refused = await gateway.ask("POST", "/admin/keys", { body: { tenant: "operators", name: "x", person: "gone" } });

  expect(refused).toMatchObject({ status: 400, json: { error: { field: "person" } } });
});

test("an erased person is ended and nameless at once, cannot be changed any more, and keeps the id for the trail", async () => {
  const key = await keyOf("leaver", "finance");

  const erased = await gateway.ask("DELETE", "/admin/people/leaver", { headers: { "weir-reason": "asked to" } });
  const again = await gateway.ask("DELETE", "/admin/people/leaver");
  const back = await gateway.ask("PATCH", "/admin/people/leaver", { body: { isActive: true, name: "Back" } });
  const reused = await make({ id: "leaver", name: "Somebody else", role: "viewer" });

  expect(erased).toMatchObject({
    status: 202,
    json: { id: "leaver", name: "erased", isActive: false, erasure: { requestedAt: expect.any(String) }, revision: { why: "asked to" } },
  });
  expect(again.json).toEqual(erased.json);
  expect([back.status, reused.status]).toEqual([409, 409]);
  expect((await gateway.deps.control.people.current("leaver"))?.body).toMatchObject({ name: "erased", isActive: false });
  expect((await gateway.ask("GET", "/admin/tenants", { key })).status).toBe(401);
});

test("nobody erases themselves, and nobody who is not there", async () => {
  const key = await keyOf("self", "admin");

  expect((await gateway.ask("DELETE", "/admin/people/self", { key })).status).toBe(409);
  expect((await gateway.ask("DELETE", "/admin/people/nobody")).status).toBe(404);
  expect((await gateway.deps.control.people.current("self"))?.body).toMatchObject({ name: "self", isActive: true });
});
