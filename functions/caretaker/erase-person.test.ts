import { PutItemCommand } from "@aws-sdk/client-dynamodb";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Key } from "../../shared/keys/key.ts";
import { keyUsesKey } from "../../shared/keys/key-uses.ts";
import type { Person } from "../../shared/people/person.ts";
import { OPERATORS } from "../../shared/tenants/tenant.ts";
import { startDynamo, type TestDynamo } from "../../test/harness/dynamo.ts";
import { createErasingWorld, type ErasingWorld } from "../../test/harness/erasing.ts";

const AT_MS = Date.UTC(2026, 9, 20);
const CHANGE = { by: "k1", person: "p-7", why: "as agreed", atMs: AT_MS };

let store: TestDynamo;
let world: ErasingWorld;
beforeAll(async () => {
  store = await startDynamo();
  world = createErasingWorld(store.dynamo);
});
afterAll(() => store.close());

/** A person with a past and a key, whose erasure was asked for. */
async function makePerson(id: string): Promise<Key> {
  const { people, keys } = world.deps;
  const person: Person = { id, name: "Jane Doe", role: "finance", isActive: true };
  await people.append(id, 0, { body: person, change: CHANGE });
  await people.append(id, 1, { body: { ...person, name: "Jane Roe" }, change: CHANGE });
  const key: Key = {
    ...{ id: `${id}Key`.padEnd(16, "0"), tenant: OPERATORS, person: id, name: "Jane's laptop", scopes: [], secretHmac: "hmac of a secret" },
    ...{ pepperVersion: 1, isRevoked: false, cidrs: ["203.0.113.7/32"] },
  };
  await keys.append(key.id, 0, { body: key, change: CHANGE });
  const Item = { pk: { S: keyUsesKey(OPERATORS) }, sk: { S: key.id }, usedAt: { S: "2026-10-01T00:00:00.000Z" } };
  await store.dynamo.client.send(new PutItemCommand({ TableName: "weir-control", Item }));
  return key;
}

const ask = (id: string) =>
  world.deps.people.append(id, 2, {
    body: { id, name: "erased", role: "finance", isActive: false, erasure: { requestedAt: new Date(AT_MS).toISOString() } },
    change: CHANGE,
  });

test("a person's name goes from every revision and key; the trail keeps who, when and why, by the id", async () => {
  const key = await makePerson("p-1");
  await ask("p-1");

  await world.runAt(AT_MS + 60_000);

  expect((await world.deps.people.current("p-1"))?.body).toEqual({
    ...{ id: "p-1", name: "erased", role: "finance", isActive: false },
    erasure: { requestedAt: "2026-10-20T00:00:00.000Z", finishedAt: "2026-10-20T00:01:00.000Z" },
  });
  expect((await world.deps.keys.current(key.id))?.body).toMatchObject({ isRevoked: true, name: "erased", secretHmac: "", person: "p-1" });
  expect(await world.saying("p-1", /Jane|203\.0\.113|hmac of|usedAt/)).toEqual([]);
  const { items } = await world.deps.people.history("p-1", { limit: 10 });
  expect(items.map(({ by, person }) => [by, person])).toEqual([
    ["caretaker", undefined],
    ["k1", "p-7"],
    ["k1", "p-7"],
    ["k1", "p-7"],
  ]);
});

test("nobody else is touched, and a round that comes again writes nothing", async () => {
  await makePerson("p-2");
  const before = await world.saying("p-2", /./);
  const done = await world.deps.people.current("p-1");

  await world.runAt(AT_MS + 120_000);

  expect(await world.saying("p-2", /./)).toEqual(before);
  expect(await world.deps.people.current("p-1")).toEqual(done);
});
