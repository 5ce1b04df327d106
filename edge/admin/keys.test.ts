import { afterAll, beforeAll, expect, test } from "vitest";
import { pageOf } from "../../shared/base/page.ts";
import type { RevisionLog } from "../../shared/dynamo/revision-log.ts";
import { type Key, parseKeyText, type Scope } from "../../shared/keys/key.ts";
import { CreatedKey, KeyRevision } from "../../shared/keys/key-requests.ts";
import { OPERATORS } from "../../shared/tenants/tenant.ts";
import { startGateway, type TestGateway } from "../../test/harness/gateway.ts";
import { createApp } from "../app.ts";

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

test("an operator's key cannot revoke itself as its tenant's own either; another tenant's may", async () => {
  const ends = async (tenant: string, ...scopes: Scope[]) => {
    const key = await gateway.makeKey(tenant, ...scopes);
    const id = key.split("_")[3];
    const answer = await gateway.ask("DELETE", `/v1/keys/${id}`, { key });
    return { status: answer.status, isRevoked: (await gateway.deps.control.keys.current(id ?? ""))?.body.isRevoked };
  };

  expect(await ends(OPERATORS, "operate", "keys")).toEqual({ status: 409, isRevoked: false });
  expect(await ends("leaving", "keys")).toEqual({ status: 200, isRevoked: true });
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
  ["an expiry that is over", { expiresAt: "2020-01-01T00:00:00Z" }, 400, "expiresAt"],
  ["no range", { cidrs: ["10.0.0.0/33"] }, 400, "cidrs.0"],
  ["no model's name", { models: ["Mini LM"] }, 400, "models.0"],
  ["an operators' scope", { scopes: ["billing"] }, 400, "scopes"],
  ["scopes and a person", { person: "ann" }, 400, "scopes"],
  ["a person in another tenant", { scopes: undefined, person: "ann" }, 400, "person"],
  ["a person who does not exist", { tenant: "operators", scopes: undefined, person: "nobody" }, 404, "person"],
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

test("a rotated key's two secrets are good until the overlap is over, and the answer says until when", async () => {
  const created = await create();

  const answer = await gateway.ask("POST", `/admin/keys/${created.id}/rotate`, { body: { overlapSeconds: 3600, why: "yearly" } });

  const rotated = CreatedKey.parse(answer.json);
  expect(answer.headers.get("cache-control")).toBe("no-store");
  expect(rotated).toMatchObject({ id: created.id, revision: { number: 2, why: "yearly" } });
  expect(rotated.key).not.toBe(created.key);
  expect(Date.parse(rotated.revision.at) - Date.parse(rotated.previousEndsAt ?? "") + 3_600_000).toBeLessThan(1_000); // two looks at one clock
  for (const key of [created.key, rotated.key]) expect((await gateway.ask("GET", "/v1/usage", { key })).status).toBe(200);
  expect((await gateway.ask("GET", `/admin/keys/${created.id}`)).text).not.toMatch(/hmac|pepper|secret/i);
});

test("without an overlap the secret so far ends at once", async () => {
  const created = await create();

  const rotated = CreatedKey.parse((await gateway.ask("POST", `/admin/keys/${created.id}/rotate`, { body: { overlapSeconds: 0 } })).json);

  expect((await gateway.ask("GET", "/v1/usage", { key: created.key })).status).toBe(401);
  expect((await gateway.ask("GET", "/v1/usage", { key: rotated.key })).status).toBe(200);
});

test("of two rotations at once one is refused, and the other's secret is the key's", async () => {
  const created = await create();
  const path = `/admin/keys/${created.id}/rotate`;
  const both = meetingAt(gateway.deps.control.keys, 2);
  const two = createApp({ ...gateway.deps, control: { ...gateway.deps.control, keys: both } });
  const ask = () => two.request(path, { method: "POST", headers: { authorization: `Bearer ${gateway.operatorKey}` } });

  const answers = await Promise.all([ask(), ask()]);

  expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 409]);
  const won = CreatedKey.parse(await answers.find(({ status }) => status === 200)?.json());
  expect((await gateway.ask("GET", "/v1/usage", { key: won.key })).status).toBe(200);
  expect((await gateway.deps.control.keys.current(created.id))?.revision).toBe(2);
});

test("who rotates moments after another does not end the secret that was promised its overlap, unless it is to end", async () => {
  const created = await create();
  const rotate = (overlapSeconds: number) => gateway.ask("POST", `/admin/keys/${created.id}/rotate`, { body: { overlapSeconds } });
  await rotate(3600);

  const again = await rotate(3600);
  const inUse = await gateway.ask("GET", "/v1/usage", { key: created.key });
  const ended = await rotate(0);

  expect(again).toMatchObject({ status: 409, json: { error: { code: "conflict", field: "overlapSeconds" } } });
  expect(inUse.status).toBe(200);
  expect(CreatedKey.parse(ended.json).revision.number).toBe(3);
  expect((await gateway.ask("GET", "/v1/usage", { key: created.key })).status).toBe(401);
});

test("a key that is revoked or has expired is not rotated", async () => {
  const created = await create();
  await gateway.ask("DELETE", `/admin/keys/${created.id}`);

  const refused = await gateway.ask("POST", `/admin/keys/${created.id}/rotate`);

  expect(refused).toMatchObject({ status: 409, json: { error: { code: "conflict" } } });
  expect((await gateway.deps.control.keys.current(created.id))?.revision).toBe(2);
});

test("models, ranges and expiry are kept in canonical form and shown", async () => {
  const bounds = { models: ["minilm", "smol@2"], cidrs: ["::ffff:10.0.0.0/104", "2001:DB8::1"], expiresAt: "2999-01-01T00:00:00Z" };

  const created = await create(bounds);

  expect(created).toMatchObject({ ...bounds, cidrs: ["10.0.0.0/8", "2001:db8::1/128"] });
});

test("when a key was last used is told, without a word about keys that were not", async () => {
  const [used, unused] = [await create(), await create()];
  await gateway.ask("GET", "/v1/usage", { key: used.key });

  await expect.poll(async () => KeyRevision.parse((await gateway.ask("GET", `/admin/keys/${used.id}`)).json).lastUsedAt).toMatch(/^\d{4}-/);

  const { items } = pageOf(KeyRevision).parse((await gateway.ask("GET", "/admin/keys?tenant=acme")).json);
  expect(items.find(({ id }) => id === used.id)?.lastUsedAt).toMatch(/^\d{4}-/);
  expect(items.find(({ id }) => id === unused.id)?.lastUsedAt).toBeUndefined();
});

/** Makes readers of one key wait for each other, so that all of them have read before any of them writes. */
function meetingAt(keys: RevisionLog<Key>, count: number): RevisionLog<Key> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let readers = 0;
  return {
    ...keys,
    current: async (id) => {
      const key = await keys.current(id);
      readers += 1;
      if (readers === count) resolve();
      await promise;
      return key;
    },
  };
}

test("a key's limits are replaced as a whole; ones that mean nothing, and a revoked key's, are refused and nothing is stored", async () => {
  const created = await create({ limits: { tokensPerMinute: 1_000 } });
  const path = `/admin/keys/${created.id}`;
  const stored = async () => (await gateway.deps.control.keys.current(created.id))?.body.limits;

  const changed = await gateway.ask("PATCH", path, { body: { limits: { concurrentRequests: 2 }, why: "noisy" } });
  const refused = await gateway.ask("PATCH", path, { body: { limits: { concurrentRequests: 0 } } });

  expect(changed.json).toMatchObject({ limits: { concurrentRequests: 2 }, revision: { number: 2, why: "noisy" } });
  expect(refused).toMatchObject({ status: 400, json: { error: { field: "limits.concurrentRequests" } } });
  expect(await stored()).toEqual({ concurrentRequests: 2 });
  await gateway.ask("DELETE", path);
  expect((await gateway.ask("PATCH", path, { body: { limits: {} } })).status).toBe(409);
  expect(await stored()).toEqual({ concurrentRequests: 2 });
});
