import { afterAll, beforeAll, expect, test } from "vitest";
import { pageOf } from "../../shared/base/page.ts";
import { CreatedKey } from "../../shared/keys/key-requests.ts";
import { TenantRevision } from "../../shared/tenants/tenant.ts";
import { startGateway, type TestGateway } from "../../test/harness/gateway.ts";

const Tenants = pageOf(TenantRevision);

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(() => gateway.close());

const stored = async (id: string) => (await gateway.deps.control.tenants.current(id))?.body;

test("a tenant is made with its defaults, and the history says who, when and why", async () => {
  const made = await gateway.ask("POST", "/admin/tenants", { body: { id: "acme", why: "first customer" } });

  expect(made.status).toBe(201);
  expect(made.json).toMatchObject({
    id: "acme",
    name: "acme",
    isClosed: false,
    rate: { requestsPerSecond: 100, burst: 200 },
    revision: { number: 1, by: gateway.operatorKey.split("_")[3], why: "first customer" },
  });
  expect((await gateway.ask("GET", "/admin/tenants/acme")).json).toEqual(made.json);
});

test("a tenant is changed field by field, and what it was stays to be read, newest first", async () => {
  await gateway.ask("POST", "/admin/tenants", { body: { id: "globex", name: "Globex" } });

  const changed = await gateway.ask("PATCH", "/admin/tenants/globex", { body: { rate: { requestsPerSecond: 5, burst: 10 } } });

  expect(changed.json).toMatchObject({ name: "Globex", rate: { requestsPerSecond: 5 }, revision: { number: 2 } });
  const history = await gateway.ask("GET", "/admin/tenants/globex/history?limit=1");
  expect(history.json).toMatchObject({ items: [{ revision: { number: 2 } }], nextCursor: "1" });
  const before = await gateway.ask("GET", "/admin/tenants/globex/history?limit=1&cursor=1");
  expect(before.json).toMatchObject({ items: [{ rate: { requestsPerSecond: 100 }, revision: { number: 1 } }] });
});

test("closing says why in a header, and closing again changes nothing", async () => {
  await gateway.ask("POST", "/admin/tenants", { body: { id: "initech" } });
  const reason = Buffer.from("zahlt nicht – Müller", "utf8").toString("latin1"); // as the bytes come off the wire

  const closed = await gateway.ask("POST", "/admin/tenants/initech/close", { headers: { "weir-reason": reason } });
  const again = await gateway.ask("POST", "/admin/tenants/initech/close");

  expect(closed.json).toMatchObject({ isClosed: true, revision: { number: 2, why: "zahlt nicht – Müller" } });
  expect(again.json).toEqual(closed.json);
  expect((await gateway.ask("PATCH", "/admin/tenants/initech", { body: { name: "x" } })).status).toBe(409);
});

test("the operators' tenant cannot be closed", async () => {
  const refused = await gateway.ask("POST", "/admin/tenants/operators/close");

  expect(refused).toMatchObject({ status: 409, json: { error: { code: "conflict", field: "tenant" } } });
  expect(await stored("operators")).toMatchObject({ isClosed: false });
});

test("tenants are listed page by page, each once", async () => {
  for (const id of ["page-a", "page-b", "page-c"]) await gateway.ask("POST", "/admin/tenants", { body: { id } });
  const all = Tenants.parse((await gateway.ask("GET", "/admin/tenants")).json);

  const ids: string[] = [];
  for (let cursor = ""; ; ) {
    const page = (await gateway.ask("GET", `/admin/tenants?limit=2${cursor}`)).json as { items: { id: string }[]; nextCursor?: string };
    ids.push(...page.items.map(({ id }) => id));
    if (page.nextCursor === undefined) break;
    cursor = `&cursor=${encodeURIComponent(page.nextCursor)}`;
  }

  expect(ids).toEqual(all.items.map(({ id }) => id));
  expect(ids).toEqual(expect.arrayContaining(["page-a", "page-b", "page-c"]));
});

test("the lowest rate with the largest burst is one that limits can count", async () => {
  await gateway.ask("POST", "/admin/tenants", { body: { id: "slowest", rate: { requestsPerSecond: 0.001, burst: 1_000_000 } } });
  const made = await gateway.ask("POST", "/admin/keys", { body: { tenant: "slowest", name: "only", scopes: ["infer"] } });

  const answer = await gateway.ask("GET", "/v1/models", { key: CreatedKey.parse(made.json).key });

  expect(answer.status).toBe(200);
});

test.each([
  ["an id with capitals", { id: "Acme" }, "id"],
  ["a rate of nothing", { id: "zero", rate: { requestsPerSecond: 0, burst: 1 } }, "rate.requestsPerSecond"],
  ["a rate so low that no limit can count it", { id: "slow", rate: { requestsPerSecond: 5e-324, burst: 1 } }, "rate.requestsPerSecond"],
  ["a rate without its burst", { id: "half", rate: { requestsPerSecond: 1 } }, "rate.burst"],
  ["a reason of 501 characters", { id: "wordy", why: "x".repeat(501) }, "why"],
  ["a tenant that is there", { id: "operators" }, "id"],
])("%s is refused with the field's name, and nothing is stored", async (_, body, field) => {
  const before = await gateway.deps.control.tenants.count("tenants");

  const refused = await gateway.ask("POST", "/admin/tenants", { body });

  expect(refused).toMatchObject({ json: { error: { field } } });
  expect([400, 409]).toContain(refused.status);
  expect(await gateway.deps.control.tenants.count("tenants")).toBe(before);
});

test("a misspelt field is refused rather than ignored", async () => {
  const refused = await gateway.ask("POST", "/admin/tenants", { body: { id: "typo", rates: {} } });

  expect(refused).toMatchObject({ status: 400, json: { error: { message: expect.stringContaining("rates") } } });
  expect(await stored("typo")).toBeUndefined();
});

test("a change of nothing is refused", async () => {
  expect((await gateway.ask("PATCH", "/admin/tenants/operators", { body: { why: "hm" } })).status).toBe(400);
});

test("two changes at once: one wins, the other is told to read again", async () => {
  await gateway.ask("POST", "/admin/tenants", { body: { id: "raced" } });

  const answers = await Promise.all(["a", "b", "c"].map((name) => gateway.ask("PATCH", "/admin/tenants/raced", { body: { name } })));

  const statuses = answers.map(({ status }) => status).toSorted();
  expect(statuses[0]).toBe(200);
  expect(statuses.every((status) => status === 200 || status === 409)).toBe(true);
  const history = await gateway.deps.control.tenants.history("raced", { limit: 10 });
  expect(history.items).toHaveLength(1 + statuses.filter((status) => status === 200).length);
});

test("an unknown tenant and a name that no tenant can have are both not found", async () => {
  expect((await gateway.ask("GET", "/admin/tenants/nobody")).status).toBe(404);
  expect((await gateway.ask("GET", "/admin/tenants/No%20Body%23")).status).toBe(404);
});

test.each(["abc", "0", "-1", "bm90IGEgY3Vyc29y"])("the cursor %s is refused by lists that did not give it", async (cursor) => {
  expect((await gateway.ask("GET", `/admin/tenants?cursor=${cursor}`)).json).toMatchObject({ error: { field: "cursor" } });
  expect((await gateway.ask("GET", `/admin/tenants/operators/history?cursor=${cursor}`)).json).toMatchObject({
    error: { field: "cursor" },
  });
});

test("without the scope 'operate' nothing of /admin is answered, nor whether it is there", async () => {
  const key = await gateway.makeKey("plain", "infer", "usage");

  for (const path of ["/admin/tenants", "/admin/keys?tenant=plain", "/admin/splits/minilm", "/admin/status", "/admin/nothing"]) {
    expect((await gateway.ask("GET", path, { key })).status).toBe(403);
    expect((await gateway.ask("GET", path, { key: "" })).status).toBe(401);
  }
});

test("limits are set, replaced as a whole and taken away; limits that mean nothing are refused and nothing is stored", async () => {
  const limits = { requestsPerDay: 1_000, tokensPerMinute: 60_000, concurrentRequests: 4 };
  const made = await gateway.ask("POST", "/admin/tenants", { body: { id: "limited", limits } });

  const replaced = await gateway.ask("PATCH", "/admin/tenants/limited", { body: { limits: { concurrentRequests: 2 } } });
  const refused = await gateway.ask("PATCH", "/admin/tenants/limited", { body: { limits: { tokensPerMinute: 0 } } });

  expect(made.json).toMatchObject({ limits });
  expect(replaced.json).toMatchObject({ limits: { concurrentRequests: 2 }, rate: { requestsPerSecond: 100 } });
  expect(refused).toMatchObject({ status: 400, json: { error: { field: "limits.tokensPerMinute" } } });
  expect(await stored("limited")).toMatchObject({ limits: { concurrentRequests: 2 } });
  await gateway.ask("PATCH", "/admin/tenants/limited", { body: { limits: {} } });
  expect((await stored("limited"))?.limits).toEqual({});
});

test("deleting closes at once, answers with a report that can be read later, and again changes nothing", async () => {
  await gateway.ask("POST", "/admin/tenants", { body: { id: "leaving" } });
  const key = await gateway.makeKey("leaving", "infer");

  const deleted = await gateway.ask("DELETE", "/admin/tenants/leaving", { headers: { "weir-reason": "asked to" } });
  const again = await gateway.ask("DELETE", "/admin/tenants/leaving");

  expect(deleted).toMatchObject({ status: 202, json: { tenant: "leaving", state: "erasing", revision: { number: 1, why: "asked to" } } });
  expect(again.json).toEqual(deleted.json);
  expect((await gateway.ask("GET", "/admin/tenants/leaving/deletion")).json).toEqual(deleted.json);
  expect(await stored("leaving")).toMatchObject({ isClosed: true });
  expect((await gateway.ask("GET", "/v1/models", { key })).status).toBe(401);
});

test("the id of a deleted tenant is nobody else's, and the report stays", async () => {
  await gateway.ask("POST", "/admin/tenants", { body: { id: "taken" } });
  await gateway.ask("DELETE", "/admin/tenants/taken");

  const again = await gateway.ask("POST", "/admin/tenants", { body: { id: "taken", name: "Somebody else" } });
  const key = await gateway.ask("POST", "/admin/keys", { body: { tenant: "taken", name: "k", scopes: ["infer"] } });
  const report = await gateway.ask("GET", "/admin/tenants/taken/deletion");

  expect([again.status, key.status]).toEqual([409, 409]);
  expect(await stored("taken")).toMatchObject({ name: "taken", isClosed: true });
  expect(report.json).toMatchObject({ state: "erasing", places: expect.arrayContaining([expect.objectContaining({ store: "ledger" })]) });
});

test.each([
  ["a quota a day", { limits: { requestsPerDay: 10 } }, "limits.requestsPerDay"],
  ["a request in a quarter of an hour", { rate: { requestsPerSecond: 0.001, burst: 1 } }, "rate.requestsPerSecond"],
])("the operators' tenant is not locked out by %s, and nothing is stored", async (_, body, field) => {
  const before = await stored("operators");

  const refused = await gateway.ask("PATCH", "/admin/tenants/operators", { body });

  expect(refused).toMatchObject({ status: 409, json: { error: { code: "conflict", field } } });
  expect(await stored("operators")).toEqual(before);
});

test("the operators' tenant cannot be deleted, and a tenant that is not has no report", async () => {
  await gateway.ask("POST", "/admin/tenants", { body: { id: "staying" } });

  expect((await gateway.ask("DELETE", "/admin/tenants/operators")).status).toBe(409);
  expect((await gateway.ask("DELETE", "/admin/tenants/nobody")).status).toBe(404);
  expect((await gateway.ask("GET", "/admin/tenants/staying/deletion")).status).toBe(404);
  expect(await gateway.deps.control.deletions.current("operators")).toBeUndefined();
  expect(await stored("operators")).toMatchObject({ isClosed: false });
});
