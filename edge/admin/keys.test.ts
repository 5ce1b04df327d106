import { afterAll, beforeAll, expect, test } from "vitest";
import { pageOf } from "../../shared/base/page.ts";
import { CreatedKey, KeyRevision, parseKeyText } from "../../shared/keys/key.ts";
import { startGateway, type TestGateway } from "../../test/harness/gateway.ts";

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startGateway();
  for (const id of ["acme", "closed"]) await gateway.ask("POST", "/admin/tenants", { body: { id } });
  await gateway.ask("POST", "/admin/tenants/closed/close");
});
afterAll(() => gateway.close());

async function create(body: object = {}) {
  const answer = await gateway.ask("POST", "/admin/keys", { body: { tenant: "acme", name: "ci", scopes: ["usage"], ...body } });
  expect(answer.status).toBe(201);
  return CreatedKey.parse(answer.json);
}

const idsOf = async (tenant: string) =>
  pageOf(KeyRevision)
    .parse((await gateway.ask("GET", `/admin/keys?tenant=${tenant}`)).json)
    .items.map(({ id }) => id);

test("a new key works at once, and its text is in the first answer only", async () => {
  const created = await create({ why: "for the build" });

  expect(parseKeyText(created.key)?.id).toBe(created.id);
  expect((await gateway.ask("GET", "/v1/usage", { key: created.key })).status).toBe(200);
  const shown = await gateway.ask("GET", `/admin/keys/${created.id}`);
  const listed = await gateway.ask("GET", "/admin/keys?tenant=acme");
  for (const { text } of [shown, listed]) {
    expect(text).toContain(created.id);
    expect(text).not.toContain(created.key);
    expect(text).not.toMatch(/hmac|pepper|secret/i);
  }
  expect(shown.json).toMatchObject({ tenant: "acme", name: "ci", scopes: ["usage"], isRevoked: false, revision: { why: "for the build" } });
});

test("the answer with a key's text must not be cached", async () => {
  const answer = await gateway.ask("POST", "/admin/keys", { body: { tenant: "acme", name: "x", scopes: ["infer"] } });

  expect(answer.headers.get("cache-control")).toBe("no-store");
});

test("a revoked key is refused, revoking it again changes nothing, and it stays in the list", async () => {
  const created = await create();

  const revoked = await gateway.ask("DELETE", `/admin/keys/${created.id}`, { headers: { "weir-reason": "leaked" } });
  const again = await gateway.ask("DELETE", `/admin/keys/${created.id}`);

  expect(revoked).toMatchObject({ status: 200, json: { isRevoked: true, revision: { number: 2, why: "leaked" } } });
  expect(again.json).toEqual(revoked.json);
  expect((await gateway.ask("GET", "/v1/usage", { key: created.key })).status).toBe(401);
  expect(await idsOf("acme")).toContain(created.id);
});

test("a key cannot revoke itself, so that an operator is never locked out", async () => {
  const own = parseKeyText(gateway.operatorKey)?.id;

  const refused = await gateway.ask("DELETE", `/admin/keys/${own}`);

  expect(refused).toMatchObject({ status: 409, json: { error: { field: "id" } } });
  expect((await gateway.ask("GET", `/admin/keys/${own}`)).json).toMatchObject({ isRevoked: false });
});

test("only the operators' own tenant has keys that operate", async () => {
  const refused = await gateway.ask("POST", "/admin/keys", { body: { tenant: "acme", name: "x", scopes: ["operate"] } });

  expect(refused).toMatchObject({ status: 400, json: { error: { field: "scopes" } } });
  expect((await create({ tenant: "operators", scopes: ["operate"] })).tenant).toBe("operators");
});

test.each([
  ["an unknown scope", { scopes: ["infer", "admin"] }, 400, "scopes.1"],
  ["a scope twice", { scopes: ["infer", "infer"] }, 400, "scopes"],
  ["no scope", { scopes: [] }, 400, "scopes"],
  ["no name", { name: "" }, 400, "name"],
  ["an unknown tenant", { tenant: "nobody" }, 404, "tenant"],
  ["a closed tenant", { tenant: "closed" }, 409, "tenant"],
])("%s is refused with the field's name, and no key is made", async (_, body, status, field) => {
  const before = await idsOf("acme");

  const refused = await gateway.ask("POST", "/admin/keys", { body: { tenant: "acme", name: "x", scopes: ["infer"], ...body } });

  expect(refused).toMatchObject({ status, json: { error: { field } } });
  expect(await idsOf("acme")).toEqual(before);
  expect(await idsOf("closed")).toEqual([]);
});

test("a list of keys is of one tenant, which must be named and exist", async () => {
  expect((await gateway.ask("GET", "/admin/keys")).json).toMatchObject({ error: { field: "tenant" } });
  expect((await gateway.ask("GET", "/admin/keys?tenant=nobody")).status).toBe(404);
});

test("an unknown key is not found", async () => {
  expect((await gateway.ask("GET", "/admin/keys/0000000000000000")).status).toBe(404);
  expect((await gateway.ask("DELETE", "/admin/keys/short")).status).toBe(404);
});

test("a key may have limits of its own, and is refused ones that mean nothing", async () => {
  const limits = { rate: { requestsPerSecond: 5, burst: 5 }, tokensPerMinute: 1_000 };
  const before = await idsOf("acme");

  const refused = await gateway.ask("POST", "/admin/keys", {
    body: { tenant: "acme", name: "x", scopes: ["infer"], limits: { concurrentRequests: 0 } },
  });

  expect(refused).toMatchObject({ status: 400, json: { error: { field: "limits.concurrentRequests" } } });
  expect(await idsOf("acme")).toEqual(before);
  const created = await create({ limits });
  expect(created.limits).toEqual(limits);
  expect((await gateway.ask("GET", `/admin/keys/${created.id}`)).json).toMatchObject({ limits });
});
