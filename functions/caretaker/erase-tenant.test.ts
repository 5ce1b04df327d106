import { GetItemCommand, PutItemCommand } from "@aws-sdk/client-dynamodb";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { Failure } from "../../shared/base/failure.ts";
import { newDeletion } from "../../shared/tenants/deletion.ts";
import { placesOf } from "../../shared/tenants/deletion-report.ts";
import { PLACES } from "../../shared/tenants/places.ts";
import { startDynamo, type TestDynamo } from "../../test/harness/dynamo.ts";
import { ASKED_AT_MS, CHANGE, createErasingWorld, type ErasingWorld, INVOICED_AT_MS, PERSONAL } from "../../test/harness/erasing.ts";
import { createErasingRound } from "./erase-round.ts";

const MINUTE_MS = 60_000;
/** Full ten years after the one in which the tenant was erased. */
const REMOVED_AT_MS = Date.UTC(2037, 0, 1);
/** Where the law wants words kept. */
const KEPT_BY_LAW = /^(\{.*"(invoice|credit-note|replacement)#|invoices\/(?!.*draft))/;

let store: TestDynamo;
let world: ErasingWorld;
beforeAll(async () => {
  store = await startDynamo();
  world = createErasingWorld(store.dynamo);
});
afterAll(() => store.close());

/** Words about a person of the tenant, but for those that the law wants kept. */
const personalOf = async (tenant: string) => (await world.saying(tenant, PERSONAL)).filter((text) => !KEPT_BY_LAW.test(text));

test("a tenant that is deleted is closed, its keys end at once, and what could name a person goes when it is needed no more", async () => {
  const { deps } = world;
  const key = await world.makeTenant("acme");

  await world.runAt(ASKED_AT_MS);

  expect((await deps.tenants.current("acme"))?.body).toMatchObject({ isClosed: true, name: "Jane Doe" });
  expect((await deps.keys.current(key.id))?.body).toMatchObject({ isRevoked: true, name: "erased", secretHmac: "" });
  expect(await world.stateOf("acme")).toMatchObject({
    state: "erasing",
    waitingFor: "requests that had begun",
    steps: { keys: { erased: 3 } },
  });

  await world.runAt(ASKED_AT_MS + 15 * MINUTE_MS);
  expect(await world.stateOf("acme")).toMatchObject({
    state: "waiting",
    steps: { uses: { erased: 1 }, counters: { erased: 8 }, answers: { erased: 1 } },
  });
  expect((await deps.tenants.current("acme"))?.body.billing?.address).toEqual(["Jane Doe", "Main Street 1"]); // for the last invoice
  expect([...world.objects.keys()]).toContain("invoices/acme-2026-09/draft.json");

  await world.runAt(INVOICED_AT_MS);
  expect(await world.stateOf("acme")).toMatchObject({
    state: "erased",
    verified: { remaining: 0, at: "2026-11-04T00:00:00.000Z" },
    steps: { identity: { erased: 3 }, drafts: { erased: 1 }, events: { erased: 6 } },
    keptUntil: "2037-01-01T00:00:00.000Z",
  });
  expect(await personalOf("acme")).toEqual([]);
});

test("what the law wants kept is kept for its full years, and then removed; numbers and amounts stay", async () => {
  await world.runAt(REMOVED_AT_MS - 1);
  expect(await world.stateOf("acme")).toMatchObject({ state: "erased" });
  expect([...world.objects.keys()].filter((key) => key.startsWith("invoices/acme-"))).toHaveLength(7);

  const since = { pk: { S: "event#acme" }, sk: { S: "paid" }, ev: { S: "{}" } }; // what operators were told after that
  await store.dynamo.client.send(new PutItemCommand({ TableName: "weir-events", Item: since }));

  await world.runAt(REMOVED_AT_MS);

  expect((await world.items()).filter(({ pk }) => pk === "event#acme")).toEqual([]);
  expect(await world.stateOf("acme")).toMatchObject({
    state: "removed",
    steps: {
      ...{ documents: { erased: 4 }, creditNotes: { erased: 4 }, replacements: { erased: 1 }, invoices: { erased: 2 } },
      ...{ credits: { erased: 1 }, balance: { erased: 1 }, totals: { erased: 1 } },
    },
  });
  expect(await world.saying("acme", PERSONAL)).toEqual([]);
  expect([...world.objects.keys()].filter((key) => key.includes("/acme"))).toEqual([]);
  expect((await world.deps.invoices.current("acme-2026-09"))?.body).toMatchObject({
    ...{ state: "paid", issue: { number: 1, name: "INV-000001" }, totals: { totalMinor: "1" } },
    payment: { reference: "erased" },
  });
});

test("the report names every place, what was erased there, and what is kept, why and until when", async () => {
  await world.makeTenant("told");
  await world.runAt(INVOICED_AT_MS);

  const places = placesOf(await world.stateOf("told"));

  expect(places.map(({ store: name, items }) => `${name} ${items}`)).toEqual(PLACES.map(({ store: name, items }) => `${name} ${items}`));
  const placeOf = (items: string) => places.find((each) => each.items === items);
  expect(placeOf("webhook#<webhook>")).toMatchObject({ erased: 2, erasedAt: expect.any(String), kept: { why: expect.any(String) } });
  expect(placeOf("key-use#<tenant>")).toEqual({
    ...{ store: "control", items: "key-use#<tenant>", holds: "when its keys were last used" },
    ...{ erased: 1, erasedAt: "2026-11-04T00:00:00.000Z" },
  });
  expect(placeOf("invoices/<bearer>/<digest>")).toMatchObject({
    erased: 0,
    kept: { what: "all of it", until: "2037-01-01T00:00:00.000Z" },
  });
  expect(placeOf("m#<minute>#<shard>")?.kept).not.toHaveProperty("until");
  await world.runAt(REMOVED_AT_MS);
  expect(placesOf(await world.stateOf("told")).find(({ items }) => items === "invoices/<bearer>/<digest>")).not.toHaveProperty("kept");
});

test("the log keeps who, when and why, and what bills rest on", async () => {
  const { items } = await world.deps.tenants.history("acme", { limit: 10 });

  expect(items.map(({ by, person, why }) => [by, person, why])).toEqual([
    ["caretaker", undefined, "deletion of the tenant"],
    ["key of ann", "ann", "as agreed"],
    ["key of ann", "ann", "as agreed"],
  ]);
  expect(items[1]?.body.billing).toEqual({ priceBook: "standard", discountBps: 0, taxRateBps: 1900 });
});

test("open pendings are left to settle or expire as usual", async () => {
  const { Item } = await store.dynamo.client.send(
    new GetItemCommand({ TableName: "weir-ledger", Key: { pk: { S: "m#2026-10-20T11:59#0" }, sk: { S: "acme#request" } } }),
  );

  expect(Item?.["st"]?.S).toBe("P");
});

test("another tenant whose name begins alike loses nothing", async () => {
  const { deps } = world;
  await world.makeTenant("initech");
  await world.makeTenant("init");
  await deps.deletions.append("initech", 1, { body: { ...newDeletion("initech", ASKED_AT_MS, 10), state: "removed" }, change: CHANGE });
  const before = await world.saying("initech", /./);

  await world.runAt(INVOICED_AT_MS);
  await world.runAt(REMOVED_AT_MS);

  expect(await world.stateOf("init")).toMatchObject({ state: "removed", verified: { remaining: 0 } });
  expect(await world.saying("initech", /./)).toEqual(before);
});

test("a tenant that is called like a prefix of the counters takes nobody's along", async () => {
  await world.makeTenant("bystander");
  await world.makeTenant("key");
  const countersOf = async () => (await world.items()).filter(({ store: name, pk }) => name === "limits" && pk.includes("bystander"));
  await world.deps.deletions.append("bystander", 1, {
    body: { ...newDeletion("bystander", ASKED_AT_MS, 10), state: "removed" },
    change: CHANGE,
  });
  const before = await countersOf();

  await world.runAt(INVOICED_AT_MS);

  expect(before).toHaveLength(8);
  expect(await countersOf()).toEqual(before);
  expect((await world.items()).filter(({ store: name, pk }) => name === "limits" && /^key#(requests|tokens)$/.test(pk))).toEqual([]);
});

test("two rounds at once, and rounds over and over, erase the same and say so once", async () => {
  await world.makeTenant("twice");

  await Promise.all([world.runAt(INVOICED_AT_MS), world.runAt(INVOICED_AT_MS)]);
  const first = await world.deps.deletions.current("twice");
  await world.runAt(INVOICED_AT_MS + MINUTE_MS);

  expect(first?.body).toMatchObject({ state: "erased", verified: { remaining: 0 } });
  expect(await world.deps.deletions.current("twice")).toEqual(first);
  expect(await personalOf("twice")).toEqual([]);
});

test("a key that was made while its tenant closed is found by the second look", async () => {
  const { deps } = world;
  const key = await world.makeTenant("racing");
  const late = { ...key, id: "lateKey000000000", name: "Jane's late key" };
  const keys = {
    ...deps.keys,
    list: async (...asked: Parameters<typeof deps.keys.list>) => {
      const page = await deps.keys.list(...asked);
      if ((await deps.keys.current(late.id)) === undefined) await deps.keys.append(late.id, 0, { body: late, change: CHANGE });
      return page;
    },
  };
  const racing = createErasingRound({ ...deps, keys });

  for (let turn = 0; turn < 5; turn += 1) await racing({ nowMs: INVOICED_AT_MS, signal: new AbortController().signal });

  expect(await world.stateOf("racing")).toMatchObject({ state: "erased", verified: { remaining: 0 } });
  expect((await deps.keys.current(late.id))?.body).toMatchObject({ isRevoked: true, name: "erased" });
});

test("a deletion that cannot go on is said in the log, and keeps no other one waiting, nor a person's erasure", async () => {
  const { deps } = world;
  await world.makeTenant("broken");
  const key = await world.makeTenant("later");
  const person = {
    id: "p-1",
    name: "erased",
    role: "viewer",
    isActive: false,
    erasure: { requestedAt: "2026-10-20T00:00:00.000Z" },
  } as const;
  await deps.people.append("p-1", 0, { body: person, change: CHANGE });
  const log = vi.fn();
  const tenants: typeof deps.tenants = {
    ...deps.tenants,
    current: (id) => (id === "broken" ? Promise.reject(new Error("not in its form")) : deps.tenants.current(id)),
  };

  const round = createErasingRound({ ...deps, tenants, log });
  await round({ nowMs: ASKED_AT_MS, signal: new AbortController().signal });

  expect((await deps.keys.current(key.id))?.body.isRevoked).toBe(true);
  expect((await deps.people.current("p-1"))?.body.erasure?.finishedAt).toBe(new Date(ASKED_AT_MS).toISOString());
  expect(log.mock.calls).toEqual([["error", "an erasure could not go on", { tenant: "broken", error: new Error("not in its form") }]]);

  const away = { ...deps.tenants, current: () => Promise.reject(new Failure("unavailable", "away")) };
  const stopped = createErasingRound({ ...deps, tenants: away, log })({ nowMs: ASKED_AT_MS, signal: new AbortController().signal });
  await expect(stopped).rejects.toMatchObject({ code: "unavailable" });
});

test("every item that the product has stored of all these lies in a place that the report names", async () => {
  const patterns = PLACES.map(({ store: name, items }) => ({
    name,
    pattern: new RegExp(`^${items.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&").replaceAll(/<[^>]+>/g, "[^#]+")}$`),
  }));

  const strange = (await world.items()).filter(
    ({ store: name, pk }) => !patterns.some((each) => each.name === name && each.pattern.test(pk)),
  );

  expect(strange).toEqual([]);
});
