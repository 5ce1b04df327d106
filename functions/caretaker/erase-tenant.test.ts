import { GetItemCommand, PutItemCommand, ScanCommand } from "@aws-sdk/client-dynamodb";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Invoice } from "../../shared/billing/invoices/invoice.ts";
import { createInvoiceStore } from "../../shared/billing/invoices/invoice-store.dynamo.ts";
import { createEraser } from "../../shared/dynamo/eraser.ts";
import { createWebhookStore } from "../../shared/events/webhook-store.dynamo.ts";
import type { Key } from "../../shared/keys/key.ts";
import { createKeyStore } from "../../shared/keys/key-store.dynamo.ts";
import { createKeyUseStore } from "../../shared/keys/key-use-store.dynamo.ts";
import { newDeletion } from "../../shared/tenants/deletion.ts";
import { createDeletionStore } from "../../shared/tenants/deletion-store.dynamo.ts";
import { createTenantStore } from "../../shared/tenants/tenant-store.dynamo.ts";
import { startDynamo, type TestDynamo } from "../../test/harness/dynamo.ts";
import { createErasingRound } from "./erase-round.ts";
import type { ErasingDeps } from "./erase-tenant.ts";

const CHANGE = { by: "key of ann", person: "ann", why: "as agreed", atMs: Date.UTC(2026, 9, 1) };
const ASKED_AT_MS = Date.UTC(2026, 9, 20, 12);
const MINUTE_MS = 60_000;
const INVOICED_AT_MS = Date.UTC(2026, 10, 4);
const RATE = { requestsPerSecond: 1, burst: 1 };
/** Whatever a person of the tenant could be known by. */
const PERSONAL = /Jane|Doe|203\.0\.113|DE123|hook\.example|hmac of/;

let store: TestDynamo;
let deps: ErasingDeps;
let runAt: (nowMs: number) => Promise<void>;
beforeAll(async () => {
  store = await startDynamo();
  const { dynamo } = store;
  deps = {
    eraser: createEraser(dynamo),
    tenants: createTenantStore(dynamo),
    keys: createKeyStore(dynamo),
    webhooks: createWebhookStore(dynamo),
    invoices: createInvoiceStore(dynamo),
    deletions: createDeletionStore(dynamo),
  };
  const round = createErasingRound(deps);
  runAt = async (nowMs) => {
    for (let turn = 0; turn < 20 && (await round({ nowMs, signal: new AbortController().signal })).hasMore; turn += 1);
  };
});
afterAll(() => store.close());

/** A tenant with a name, an address, a key with a history, a webhook, kept answers and a request that is still pending. */
async function makeTenant(id: string) {
  const tenant = { id, name: "Jane Doe", isClosed: false, rate: RATE };
  await deps.tenants.append(id, 0, { body: tenant, change: CHANGE });
  const billing = { priceBook: "standard", discountBps: 0, taxRateBps: 1900, address: ["Jane Doe", "Main Street 1"], taxId: "DE123" };
  await deps.tenants.append(id, 1, { body: { ...tenant, billing }, change: CHANGE });
  const key: Key = {
    ...{ id: `${id}Key`.padEnd(16, "0"), tenant: id, name: "Jane's laptop", scopes: ["infer"], secretHmac: "hmac of a secret" },
    ...{ pepperVersion: 1, isRevoked: false, cidrs: ["203.0.113.7/32"] },
  };
  await deps.keys.append(key.id, 0, { body: key, change: CHANGE });
  await deps.keys.append(key.id, 1, { body: { ...key, name: "Jane's desk" }, change: CHANGE });
  const webhook = {
    id: `${id}-hook`,
    owner: id,
    url: "https://hook.example/jane",
    eventTypes: [],
    description: "Jane's",
    isDeleted: false,
  };
  await deps.webhooks.append(webhook.id, 0, { body: { ...webhook, secret: { number: 1, pepperVersion: 1 } }, change: CHANGE });
  await createKeyUseStore(store.dynamo).put({ tenant: id, keyId: key.id, atMs: ASKED_AT_MS }, 0);
  await put("weir-idempotency", { pk: `${id}#abc`, body: "Jane Doe" });
  await put("weir-ledger", { pk: "m#2026-10-20T11:59#0", sk: `${id}#request`, st: "P" });
  await deps.deletions.append(id, 0, { body: newDeletion(id, ASKED_AT_MS), change: { ...CHANGE, atMs: ASKED_AT_MS } });
  return { key };
}

async function put(table: string, item: Record<string, string>) {
  const Item = Object.fromEntries(Object.entries(item).map(([name, value]) => [name, { S: value }]));
  await store.dynamo.client.send(new PutItemCommand({ TableName: table, Item }));
}

async function personalOf(table: string, tenant: string): Promise<string[]> {
  const { Items = [] } = await store.dynamo.client.send(new ScanCommand({ TableName: table }));
  return Items.map((item) => JSON.stringify(item)).filter((text) => text.includes(tenant) && PERSONAL.test(text));
}

const stateOf = async (id: string) => (await deps.deletions.current(id))?.body;

test("a tenant that is deleted is closed, its keys end at once, and what could name a person goes when it is needed no more", async () => {
  const { key } = await makeTenant("acme");

  await runAt(ASKED_AT_MS);

  expect((await deps.tenants.current("acme"))?.body).toMatchObject({ isClosed: true, name: "Jane Doe" });
  expect((await deps.keys.current(key.id))?.body).toMatchObject({ isRevoked: true, name: "erased", secretHmac: "" });
  expect(await stateOf("acme")).toMatchObject({ state: "erasing", waitingFor: "requests that had begun", steps: { keys: { erased: 3 } } });

  await runAt(ASKED_AT_MS + 15 * MINUTE_MS);
  expect(await stateOf("acme")).toMatchObject({ state: "waiting", steps: { uses: { erased: 1 }, answers: { erased: 1 } } });
  expect((await deps.tenants.current("acme"))?.body.billing?.address).toEqual(["Jane Doe", "Main Street 1"]); // for the last invoice

  await runAt(INVOICED_AT_MS);
  const report = await stateOf("acme");
  expect(report).toMatchObject({
    state: "erased",
    verified: { remaining: 0, at: "2026-11-04T00:00:00.000Z" },
    steps: { identity: { erased: 3 } },
  });
  expect(report?.kept[0]).toMatchObject({ what: expect.stringContaining("invoices"), until: "2036-10-20T12:00:00.000Z" });
  for (const table of ["weir-control", "weir-idempotency"]) expect(await personalOf(table, "acme")).toEqual([]);
});

test("the log keeps who, when and why, and what bills rest on", async () => {
  const { items } = await deps.tenants.history("acme", { limit: 10 });

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

test("an invoice that is not issued yet is waited for", async () => {
  await makeTenant("globex");
  const invoice: Invoice = {
    ...{ id: "globex-2026-10", tenant: "globex", month: "2026-10", currency: "EUR", state: "draft", madeAt: "2026-11-01T00:00:00.000Z" },
    ...{ adjustments: [], closed: { of: 1, sealed: 1, audited: 0 }, totals: { netMinor: "1", taxMinor: "0", totalMinor: "1" } },
    document: { key: "invoices/globex", sha256: "0".repeat(64), bytes: 1 },
  };
  await deps.invoices.append(invoice.id, 0, { body: invoice, change: CHANGE });

  await runAt(INVOICED_AT_MS);

  expect(await stateOf("globex")).toMatchObject({ state: "waiting", waitingFor: "the invoice globex-2026-10, which is not issued" });
  expect((await deps.tenants.current("globex"))?.body.name).toBe("Jane Doe");
});

test("another tenant whose name begins alike loses nothing", async () => {
  await makeTenant("initech");
  await makeTenant("init");
  await deps.deletions.append("initech", 1, { body: { ...newDeletion("initech", ASKED_AT_MS), state: "erased" }, change: CHANGE });

  await runAt(INVOICED_AT_MS);

  expect(await stateOf("init")).toMatchObject({ state: "erased", verified: { remaining: 0 } });
  expect((await deps.tenants.current("initech"))?.body).toMatchObject({ isClosed: false, name: "Jane Doe" });
  expect(await personalOf("weir-idempotency", "initech")).toHaveLength(1);
});

test("two rounds at once, and rounds over and over, erase the same and say so once", async () => {
  await makeTenant("twice");

  await Promise.all([runAt(INVOICED_AT_MS), runAt(INVOICED_AT_MS)]);
  const first = await deps.deletions.current("twice");
  await runAt(INVOICED_AT_MS + MINUTE_MS);

  expect(first?.body).toMatchObject({ state: "erased", verified: { remaining: 0 } });
  expect(await deps.deletions.current("twice")).toEqual(first);
  expect(await personalOf("weir-control", "twice")).toEqual([]);
});

test("a key that was made while its tenant closed is found by the second look", async () => {
  const { key } = await makeTenant("racing");
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

  expect(await stateOf("racing")).toMatchObject({ state: "erased", verified: { remaining: 0 } });
  expect((await deps.keys.current(late.id))?.body).toMatchObject({ isRevoked: true, name: "erased" });
});
