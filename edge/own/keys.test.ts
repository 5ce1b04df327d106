import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { pageOf } from "../../shared/base/page.ts";
import { KEYS_EVER_MAX } from "../../shared/keys/key.ts";
import { CreatedKey, KeyRevision } from "../../shared/keys/key-requests.ts";
import { startGateway, type TestGateway } from "../../test/harness/gateway.ts";

let gateway: TestGateway;
let key: string;
beforeAll(async () => {
  gateway = await startGateway();
  key = await gateway.makeKey("acme", "infer", "usage", "keys");
});
afterAll(() => gateway.close());

const idOf = (text: string) => text.split("_")[3] ?? "";
const idsOf = async (asking = key) =>
  pageOf(KeyRevision)
    .parse((await gateway.ask("GET", "/v1/keys", { key: asking })).json)
    .items.map(({ id }) => id);

async function create(body: object = {}, asking = key) {
  const answer = await gateway.ask("POST", "/v1/keys", { key: asking, body: { name: "ci", scopes: ["usage"], ...body } });
  expect([answer.status, answer.text]).toEqual([201, expect.any(String)]);
  return CreatedKey.parse(answer.json);
}

test("a tenant makes, lists, shows, rotates and revokes keys of its own", async () => {
  const created = await create({ why: "for the build" });

  expect(created).toMatchObject({ tenant: "acme", scopes: ["usage"], revision: { by: idOf(key), why: "for the build" } });
  expect((await gateway.ask("GET", "/v1/usage", { key: created.key })).status).toBe(200);
  expect(await idsOf()).toContain(created.id);
  const rotated = CreatedKey.parse((await gateway.ask("POST", `/v1/keys/${created.id}/rotate`, { key })).json);
  expect((await gateway.ask("GET", "/v1/usage", { key: rotated.key })).status).toBe(200);
  expect((await gateway.ask("DELETE", `/v1/keys/${created.id}`, { key })).json).toMatchObject({ isRevoked: true });
  expect((await gateway.ask("GET", `/v1/keys/${created.id}`, { key })).json).toMatchObject({ isRevoked: true });
});

test("there is an end to how many keys a tenant may ever have, whoever makes them", async () => {
  const before = await idsOf();
  const count = vi.spyOn(gateway.deps.control.keys, "count").mockResolvedValue(KEYS_EVER_MAX);

  const own = await gateway.ask("POST", "/v1/keys", { key, body: { name: "one more", scopes: ["usage"] } });
  const operators = await gateway.ask("POST", "/admin/keys", { body: { tenant: "acme", name: "one more", scopes: ["usage"] } });
  count.mockRestore();

  expect([own, operators].map(({ status, text }) => [status, text.includes("revoked ones too")])).toEqual([
    [409, true],
    [409, true],
  ]);
  expect(await idsOf()).toEqual(before);
});

test("another tenant's key is as good as none: not listed, not shown, not rotated, not revoked", async () => {
  const foreign = await gateway.makeKey("globex", "infer");
  const nothing = await gateway.ask("GET", "/v1/keys/0000000000000000", { key });

  const answers = await Promise.all([
    gateway.ask("GET", `/v1/keys/${idOf(foreign)}`, { key }),
    gateway.ask("POST", `/v1/keys/${idOf(foreign)}/rotate`, { key, body: { overlapSeconds: 0 } }),
    gateway.ask("DELETE", `/v1/keys/${idOf(foreign)}`, { key }),
  ]);

  for (const answer of answers) {
    expect(answer.status).toBe(404);
    expect(answer.text.replace(idOf(foreign), "0000000000000000")).toBe(nothing.text);
  }
  expect(await idsOf()).not.toContain(idOf(foreign));
  expect((await gateway.deps.control.keys.current(idOf(foreign)))?.revision).toBe(1);
});

test.each([
  ["a scope that it lacks", { scopes: ["keys", "usage"] }, ["keys"]],
  ["an operators' scope", { scopes: ["operate"] }, ["keys"]],
])("a key cannot hand out %s", async (_, body, scopes) => {
  const weak = await gateway.makeKey("acme", ...(scopes as ["keys"])); // the table's tuples are wider
  const before = await idsOf();

  const refused = await gateway.ask("POST", "/v1/keys", { key: weak, body: { name: "x", ...body } });

  expect(refused).toMatchObject({ status: 403, json: { error: { param: "scopes" } } });
  expect(await idsOf()).toEqual(before);
});

test("what a key of bounds makes has its bounds, and no more may be asked", async () => {
  const bounds = { scopes: ["keys", "infer"], models: ["minilm"], expiresAt: "2999-01-01T00:00:00Z" };
  const bounded = await create(bounds);

  const child = await create({ scopes: ["infer"] }, bounded.key);

  expect(child).toMatchObject({ models: ["minilm"], expiresAt: "2999-01-01T00:00:00Z" });
  const refused = await gateway.ask("POST", "/v1/keys", { key: bounded.key, body: { name: "x", scopes: ["infer"], models: ["smol"] } });
  expect(refused).toMatchObject({ status: 403, json: { error: { param: "models" } } });
});

test("a key of bounds cannot rotate one without: its new secret would be worth more; it may rotate itself", async () => {
  const bounded = await create({ scopes: ["keys", "infer"], models: ["minilm"] });
  const wide = await create({ scopes: ["infer"] });

  const refused = await gateway.ask("POST", `/v1/keys/${wide.id}/rotate`, { key: bounded.key });
  const own = await gateway.ask("POST", `/v1/keys/${bounded.id}/rotate`, { key: bounded.key });

  expect(refused.status).toBe(403);
  expect((await gateway.deps.control.keys.current(wide.id))?.revision).toBe(1);
  expect(own.status).toBe(200);
});

test("a key that is held to limits of its own cannot rotate one that is not; one that it made it can", async () => {
  const limits = { rate: { requestsPerSecond: 50, burst: 50 } };
  const held = await create({ scopes: ["keys", "infer"], limits });
  const free = await create({ scopes: ["infer"] });
  const child = await create({ scopes: ["infer"] }, held.key);

  const refused = await gateway.ask("POST", `/v1/keys/${free.id}/rotate`, { key: held.key, body: { overlapSeconds: 0 } });
  const own = await gateway.ask("POST", `/v1/keys/${child.id}/rotate`, { key: held.key });

  expect(refused.status).toBe(403);
  expect((await gateway.deps.control.keys.current(free.id))?.revision).toBe(1);
  expect(own.status).toBe(200);
});

test("without the scope `keys` there is nothing to see or to do", async () => {
  const asking = await gateway.makeKey("acme", "infer", "usage");

  for (const [method, path] of [
    ["GET", "/v1/keys"],
    ["POST", "/v1/keys"],
    ["DELETE", `/v1/keys/${idOf(key)}`],
  ] as const) {
    expect((await gateway.ask(method, path, { key: asking })).status).toBe(403);
  }
});

test("a person's key makes keys of that person, which have the role's rights and no scopes of their own", async () => {
  await gateway.ask("POST", "/admin/people", { body: { id: "ann", name: "Ann", role: "admin" } });
  const made = await gateway.ask("POST", "/admin/keys", { body: { tenant: "operators", name: "ann's", person: "ann" } });
  const own = CreatedKey.parse(made.json);

  const child = await create({ scopes: ["operate"] }, own.key);

  expect(child).toMatchObject({ person: "ann", scopes: [], revision: { by: own.id, person: "ann" } });
});
