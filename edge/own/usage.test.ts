import { afterAll, beforeAll, expect, test } from "vitest";
import { systemClock } from "../../shared/base/clock.ts";
import { systemIds } from "../../shared/base/id.ts";
import { createLeanDynamo } from "../../shared/dynamo/lean-client.ts";
import { createSdkDynamo } from "../../shared/dynamo/sdk.ts";
import { createLedger } from "../../shared/usage/ledger/ledger.dynamo.ts";
import type { UsageRow } from "../../shared/usage/row.ts";
import { UsageReport } from "../../shared/usage/totals/report.ts";
import { startGateway, type TestGateway } from "../../test/harness/gateway.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
// Rows carry the time at which they were accepted; the gateway's clock stands still a moment later.
const NOW_MS = Math.floor(Date.now() / HOUR_MS) * HOUR_MS + 30 * MINUTE_MS;

let gateway: TestGateway;
let acmeKey: string;
beforeAll(async () => {
  gateway = await startGateway({ override: () => ({ clock: { nowMs: () => NOW_MS } }) });
  acmeKey = await gateway.makeKey("acme", "usage");
  await gateway.makeKey("globex", "usage");
  await settle("acme", NOW_MS - 10 * MINUTE_MS, { version: 1, arm: "stable" });
  await settle("acme", NOW_MS - 10 * MINUTE_MS, { version: 1, arm: "stable" });
  await settle("acme", NOW_MS - 10 * MINUTE_MS, { version: 2, arm: "canary" });
  await settle("acme", NOW_MS - 40 * MINUTE_MS, { version: 1, arm: "stable" });
  await settle("acme", NOW_MS - 3 * HOUR_MS, { version: 1, arm: "stable" });
  await settle("globex", NOW_MS - 10 * MINUTE_MS, { version: 1, arm: "stable" });
});
afterAll(() => gateway.close());

async function settle(tenant: string, atMs: number, served: { version: number; arm: string }) {
  const row: UsageRow = {
    requestId: systemIds.requestId(atMs),
    tenant,
    keyId: "k",
    model: "minilm",
    version: served.version,
    servedVersion: served.version,
    arm: served.arm,
    tier: "cpu",
    dialect: "openai",
    task: "embed",
    outcome: "ok",
    inputs: 2,
    inputTokens: 7,
    outputTokens: 0,
    computeMs: 3,
    priceVersion: 0,
    fingerprint: "f",
  };
  // A ledger that stands where the row does: the gateway's own takes no rows of hours ago.
  const { WEIR_DYNAMO_ENDPOINT: endpoint, WEIR_SHARDS: schedule } = gateway.deps.config;
  const dynamo = createSdkDynamo({ region: "eu-central-1", tablePrefix: "weir", endpoint });
  const lean = createLeanDynamo(dynamo.settings, systemClock);
  await createLedger({ lean, tablePrefix: "weir", schedule, clock: { nowMs: () => atMs }, log: () => {} }).settle(row, 5_000);
  await lean.close();
  await dynamo.close();
}

const read = async (query = "", key = acmeKey) => {
  const answer = await gateway.ask("GET", `/v1/usage${query}`, { key });
  expect(answer.status).toBe(200);
  return UsageReport.parse(answer.json);
};
const iso = (atMs: number) => new Date(atMs).toISOString();

test("a tenant sees its own last hour, by hour, version and arm, and the range is said", async () => {
  const report = await read();

  expect(report).toMatchObject({ tenant: "acme", from: iso(NOW_MS - HOUR_MS), to: iso(NOW_MS) });
  expect(report.total).toEqual({ requests: 4, inputs: 8, inputTokens: 28, outputTokens: 0, computeMs: 12 });
  const hour = iso(NOW_MS).slice(0, 13);
  expect(report.items.map((sum) => [sum.hour, sum.version, sum.arm, sum.requests])).toEqual([
    [iso(NOW_MS - HOUR_MS).slice(0, 13), 1, "stable", 1],
    [hour, 1, "stable", 2],
    [hour, 2, "canary", 1],
  ]);
});

test("before anything is sealed, the report says that nothing is complete yet", async () => {
  const report = await read();

  expect(report).toMatchObject({ completeTo: report.from, sealed: 0, of: 120 });
  expect(report.openHours).toEqual([
    { hour: iso(NOW_MS - HOUR_MS).slice(0, 13), sealed: 0, of: 60 },
    { hour: iso(NOW_MS).slice(0, 13), sealed: 0, of: 60 },
  ]);
});

test("another range covers exactly what it says: its first moment, and not its last", async () => {
  const atMs = NOW_MS - 3 * HOUR_MS;

  expect((await read(`?from=${iso(atMs)}&to=${iso(atMs + 1)}`)).total.requests).toBe(1);
  expect((await read(`?from=${iso(atMs - 1)}&to=${iso(atMs)}`)).total.requests).toBe(0);
});

test("pages hold each sum once, and the total is of the whole range on every page", async () => {
  const first = await read("?limit=2");
  const second = await read(`?limit=2&cursor=${first.nextCursor}`);

  expect(second.nextCursor).toBeUndefined();
  expect([...first.items, ...second.items]).toEqual((await read()).items);
  expect(second.total).toEqual(first.total);
});

test("an operator sees any tenant's usage", async () => {
  expect((await read("?tenant=globex", gateway.operatorKey)).total.requests).toBe(1);
  const unknown = await gateway.ask("GET", "/v1/usage?tenant=nobody");
  expect(unknown).toMatchObject({ status: 404, json: { error: { param: "tenant" } } });
});

test("a tenant may name itself, and nobody else, whether there is such a tenant or not", async () => {
  expect((await read("?tenant=acme")).total.requests).toBe(4);

  const other = await gateway.ask("GET", "/v1/usage?tenant=globex", { key: acmeKey });
  const nobody = await gateway.ask("GET", "/v1/usage?tenant=nobody", { key: acmeKey });
  expect(other.status).toBe(403);
  expect(nobody.text).toBe(other.text);
});

test("a key that may only infer sees no usage", async () => {
  const key = await gateway.makeKey("acme", "infer");

  expect((await gateway.ask("GET", "/v1/usage", { key })).status).toBe(403);
});

test.each([
  ["from=yesterday", "from"],
  ["from=2026-11-23T10:00:00", "from"],
  ["to=2026-13-01", "to"],
  ["from=2026-11-23&to=2026-11-23", "from"],
  ["from=2026-11-24&to=2026-11-23", "from"],
  ["from=2026-10-20&to=2026-11-20T00:00:00.001Z", "from"],
  ["from=2001-01-01", "from"],
  ["limit=0", "limit"],
  ["limit=1001", "limit"],
  ["cursor=abc", "cursor"],
])("?%s is refused with the field's name", async (query, field) => {
  const refused = await gateway.ask("GET", `/v1/usage?${query}`, { key: acmeKey });

  expect(refused).toMatchObject({ status: 400, json: { error: { param: field } } });
});
