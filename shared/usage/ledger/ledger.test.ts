import { ScanCommand } from "@aws-sdk/client-dynamodb";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { type StoppedClock, stopClock } from "../../../test/harness/clock.ts";
import { startValvedDynamo, type ValvedDynamo } from "../../../test/harness/valved-dynamo.ts";
import { systemIds } from "../../base/id.ts";
import { createLeanDynamo, type LeanDynamo } from "../../dynamo/lean-client.ts";
import type { ShardSchedule, UsageRow } from "../row.ts";
import { createUsageReader } from "../totals/usage-reader.dynamo.ts";
import { createLedger } from "./ledger.dynamo.ts";
import type { Ledger, UsageReader } from "./ledger.ts";

const SCHEDULE: ShardSchedule = [{ fromMinute: "", shardCount: 3 }];
const TIMEOUT_MS = 10_000;

let store: ValvedDynamo;
let lean: LeanDynamo;
let clock: StoppedClock;
let ledger: Ledger;
let usage: UsageReader;
let complaints: string[];
/** Each test has its own, in one store for all. */
let tenant: string;
beforeAll(async () => {
  store = await startValvedDynamo();
});
afterAll(() => store.close());
beforeEach(() => {
  clock = stopClock();
  lean = createLeanDynamo(store.dynamo.settings, clock);
  complaints = [];
  tenant = `tenant-${systemIds.base62(8)}`;
  const settings = { lean, tablePrefix: "weir", schedule: SCHEDULE };
  ledger = createLedger({ ...settings, clock, log: (_, message) => complaints.push(message) });
  usage = createUsageReader(settings);
});
afterEach(async () => {
  store.valve.turn("open");
  await ledger.drain();
  await lean.close();
});

function newRow(more: Partial<UsageRow> = {}): UsageRow {
  return {
    requestId: systemIds.requestId(clock.nowMs()),
    tenant,
    ...{ keyId: "k", model: "minilm", version: 1, servedVersion: 1, arm: "stable", tier: "cpu" },
    ...{ dialect: "openai", task: "embed", outcome: "ok", inputs: 2, inputTokens: 7, outputTokens: 0, computeMs: 3 },
    ...{ priceVersion: 0, fingerprint: "f" },
    ...more,
  };
}

const sums = (of = tenant) => usage.read(of, { fromMs: clock.nowMs() - 60_000, toMs: clock.nowMs() + 1 });

/** What the table holds of this test's tenant. */
async function items() {
  const { Items = [] } = await store.direct.client.send(new ScanCommand({ TableName: "weir-ledger" }));
  return Items.filter((item) => item["sk"]?.S?.startsWith(`${tenant}#`));
}

test("a settled row is there when settle resolves, at the address that its id gives", async () => {
  const row = newRow();

  await ledger.settle(row, TIMEOUT_MS);

  const minute = new Date(clock.nowMs()).toISOString().slice(0, 16);
  expect(await items()).toMatchObject([
    { pk: { S: expect.stringMatching(`^m#${minute}#[012]$`) }, sk: { S: `${tenant}#${row.requestId}` }, st: { S: "S" }, rv: { N: "1" } },
  ]);
});

test("settling the same row again changes nothing", async () => {
  const row = newRow();

  await ledger.settle(row, TIMEOUT_MS);
  await ledger.settle(row, TIMEOUT_MS);

  expect(await sums()).toMatchObject([{ requests: 1 }]);
});

test("many rows at once become few writes, and every row is there", async () => {
  const before = store.valve.callsOf("BatchWriteItem");

  await Promise.all(Array.from({ length: 200 }, () => ledger.settle(newRow(), TIMEOUT_MS)));

  expect(await sums()).toMatchObject([{ requests: 200, inputs: 400, inputTokens: 1_400, computeMs: 600 }]);
  expect(store.valve.callsOf("BatchWriteItem") - before).toBeLessThan(15);
});

test("an acknowledgement that is lost is asked for again, and the row is there once", async () => {
  store.valve.once("lost", "BatchWriteItem");

  await ledger.settle(newRow(), TIMEOUT_MS);

  expect(await sums()).toMatchObject([{ requests: 1 }]);
});

test("a row that is there although nobody said so is voided, and does not count", async () => {
  store.valve.turn("lost", "BatchWriteItem");
  const refused = expect(ledger.settle(newRow(), TIMEOUT_MS)).rejects.toMatchObject({ code: "unavailable" });
  await expect.poll(() => items()).toHaveLength(1);

  clock.advance(TIMEOUT_MS);

  await refused;
  store.valve.turn("open");
  await ledger.drain();
  expect((await items()).map((item) => item["st"]?.S).toSorted()).toEqual(["S", "X"]);
  expect(await sums()).toEqual([]);
});

const HOUR_MS = 3_600_000;

test("a store that is away for hours gets the marker all the same, and nobody is billed for what was refused", async () => {
  store.valve.turn("lost", "BatchWriteItem");
  const refused = expect(ledger.settle(newRow(), TIMEOUT_MS)).rejects.toMatchObject({ code: "unavailable" });
  await expect.poll(() => items()).toHaveLength(1);
  store.valve.turn("closed");
  clock.advance(TIMEOUT_MS);
  await refused;

  clock.advance(22 * HOUR_MS);
  const before = store.valve.callsOf("BatchWriteItem");
  await expect.poll(() => store.valve.callsOf("BatchWriteItem")).toBeGreaterThan(before + 1);
  store.valve.turn("open");

  await ledger.drain();
  expect(complaints).toEqual([]);
  expect(await sums()).toEqual([]);
});

test("a marker that cannot be written in its time is complained of, and ends nothing else", async () => {
  const before = store.valve.callsOf("BatchWriteItem");
  store.valve.turn("closed");
  const refused = expect(ledger.settle(newRow(), TIMEOUT_MS)).rejects.toMatchObject({ code: "unavailable" });
  await expect.poll(() => store.valve.callsOf("BatchWriteItem")).toBeGreaterThan(before);
  clock.advance(TIMEOUT_MS);
  await refused;

  clock.advance(23 * HOUR_MS);

  await expect.poll(() => complaints).toEqual(["a void marker could not be written"]);
});

test("while the clock is off the store's nothing is metered, and it heals by itself", async () => {
  clock.advance(40_000);
  await lean.call("DescribeTable", { TableName: "weir-ledger" }, 1_000); // any answer shows the store's time

  expect(() => ledger.assertSoundClock()).toThrow(/4\d s off the store's/);
  await expect(ledger.settle(newRow(), TIMEOUT_MS)).rejects.toMatchObject({ code: "unavailable", retryAfterMs: 30_000 });
  expect(await items()).toEqual([]);
  clock.advance(-40_000);
  await lean.call("DescribeTable", { TableName: "weir-ledger" }, 1_000);

  await ledger.settle(newRow(), TIMEOUT_MS);
  expect(await items()).toHaveLength(1);
});

test("a clock that was found wrong only by the answer to a row's own write bills nothing", async () => {
  clock.advance(-14 * 3_600_000); // no answer has shown the store's time yet

  await expect(ledger.settle(newRow(), TIMEOUT_MS)).rejects.toMatchObject({ code: "unavailable", retryAfterMs: 30_000 });
  await ledger.drain();

  expect((await items()).map((item) => item["st"]?.S).toSorted()).toEqual(["S", "X"]);
});

test("a request that was accepted while the clock was wrong is not billed after it was set right", async () => {
  const row = newRow({ requestId: systemIds.requestId(clock.nowMs() + 33 * 3_600_000) });

  await expect(ledger.settle(row, TIMEOUT_MS)).rejects.toMatchObject({ code: "unavailable" });
  await ledger.drain();

  expect((await items()).map((item) => item["st"]?.S).toSorted()).toEqual(["S", "X"]);
});

test("a row with a number that is none is our own mistake, and keeps no other row from the store", async () => {
  const [bad, good] = [ledger.settle(newRow({ computeMs: Number.NaN }), TIMEOUT_MS), ledger.settle(newRow(), TIMEOUT_MS)];

  await expect(bad).rejects.toThrow("a usage row's computeMs is NaN, not a count");
  await good;
  expect(await items()).toHaveLength(1);
});

test("rows are added up by hour, model, version that served and arm, for one tenant alone", async () => {
  await ledger.settle(newRow(), TIMEOUT_MS);
  await ledger.settle(newRow({ arm: "canary", servedVersion: 2 }), TIMEOUT_MS);
  await ledger.settle(newRow({ model: "sentiment" }), TIMEOUT_MS);
  await ledger.settle(newRow({ tenant: `${tenant}2` }), TIMEOUT_MS);

  const hour = new Date(clock.nowMs()).toISOString().slice(0, 13);
  expect(await sums()).toMatchObject([
    { hour, model: "minilm", version: 1, arm: "stable", requests: 1, inputs: 2, inputTokens: 7, outputTokens: 0, computeMs: 3 },
    { hour, model: "minilm", version: 2, arm: "canary", requests: 1 },
    { hour, model: "sentiment", version: 1, arm: "stable", requests: 1 },
  ]);
  expect(await sums(`${tenant}2`)).toMatchObject([{ requests: 1 }]);
});

test("the range holds its start and not its end", async () => {
  await ledger.settle(newRow(), TIMEOUT_MS);
  const atMs = clock.nowMs();

  const countIn = async (fromMs: number, toMs: number) => (await usage.read(tenant, { fromMs, toMs })).length;

  expect([await countIn(atMs, atMs + 1), await countIn(atMs - 10, atMs), await countIn(atMs + 1, atMs + 10)]).toEqual([1, 0, 0]);
});

test("a bucket of more than one page is read to its end", async () => {
  const fingerprint = "f".repeat(20_000); // 55 such rows are more than DynamoDB's page of 1 MB
  await Promise.all(Array.from({ length: 240 }, () => ledger.settle(newRow({ fingerprint }), TIMEOUT_MS)));

  expect(await sums()).toMatchObject([{ requests: 240 }]);
});

test("a store that is away is said to be so, not an empty report", async () => {
  store.valve.turn("closed");

  await expect(sums()).rejects.toMatchObject({ code: "unavailable" });
});
