import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { type StoppedClock, stopClock } from "../../../test/harness/clock.ts";
import { newReservation, settledRow } from "../../../test/harness/reservations.ts";
import type { StoreState } from "../../../test/harness/store-valve.ts";
import { startValvedDynamo, type ValvedDynamo } from "../../../test/harness/valved-dynamo.ts";
import { createLeanDynamo, type LeanDynamo, type WireItem } from "../../dynamo/lean-client.ts";
import { ledgerAddress, type ShardSchedule } from "../row.ts";
import { createUsageReader } from "../totals/usage-reader.dynamo.ts";
import { createLedger } from "./ledger.dynamo.ts";
import type { Checkpoint, Ledger, Reservation, ReservedRow } from "./ledger.ts";

const SCHEDULE: ShardSchedule = [{ fromMinute: "", shardCount: 1 }];
const TIMEOUT_MS = 10_000;
const STEPS_BACK_OFF_MS = 100;

let store: ValvedDynamo;
let lean: LeanDynamo;
let clock: StoppedClock;
let ledger: Ledger;
let reservation: Reservation;
beforeAll(async () => {
  store = await startValvedDynamo();
});
afterAll(() => store.close());
beforeEach(() => {
  clock = stopClock();
  lean = createLeanDynamo(store.dynamo.settings, clock);
  ledger = createLedger({ lean, tablePrefix: "weir", schedule: SCHEDULE, clock, log: () => {} });
  reservation = newReservation(clock);
});
afterEach(async () => {
  store.valve.turn("open");
  await ledger.drain();
  await lean.close();
});

const checkpointOf = (outputTokens: number): Checkpoint => ({
  ...{ servedVersion: 1, tier: "cpu", inputTokens: 7, computeMs: 3, expiresInMs: 60_000 },
  outputTokens,
});

/** The row as the store has it, past the valve. */
async function stored(): Promise<WireItem | undefined> {
  const { pk, sk } = ledgerAddress(reservation, SCHEDULE);
  const direct = createLeanDynamo(store.direct.settings, clock);
  const input = { TableName: "weir-ledger", Key: { pk: { S: pk }, sk: { S: sk } }, ConsistentRead: true };
  const { Item } = await direct.call<{ Item?: WireItem }>("GetItem", input, 5_000);
  await direct.close();
  return Item;
}

async function billedRequests(): Promise<number> {
  const usage = createUsageReader({ lean, tablePrefix: "weir", schedule: SCHEDULE });
  const sums = await usage.read(reservation.tenant, { fromMs: clock.nowMs() - 60_000, toMs: clock.nowMs() + 1 });
  return sums.reduce((total, { requests }) => total + requests, 0);
}

/** Lets a step's deadline pass while it waits. */
async function failsWhileTimePasses(step: Promise<unknown>) {
  const timer = setInterval(() => clock.advance(TIMEOUT_MS), STEPS_BACK_OFF_MS);
  await expect(step.finally(() => clearInterval(timer))).rejects.toMatchObject({ code: "unavailable" });
}

test.each<StoreState>(["lost", "throttled", "closed"])("a step whose first attempt is %s is done once", async (state) => {
  store.valve.once(state, "PutItem");
  const row = await ledger.reserve(reservation, TIMEOUT_MS);
  expect(await stored()).toMatchObject({ st: { S: "P" }, e: { N: "1" }, pg: { N: "0" } });

  store.valve.once(state, "UpdateItem");
  await row.checkpoint(checkpointOf(64), TIMEOUT_MS);
  expect(await stored()).toMatchObject({ st: { S: "P" }, pg: { N: "64" }, tr: { S: "cpu" } });

  store.valve.once(state, "UpdateItem");
  await row.settle(settledRow(reservation), TIMEOUT_MS);
  expect(await stored()).toMatchObject({ st: { S: "S" }, to: { N: "90" } });
  expect(await billedRequests()).toBe(1);
});

test.each<StoreState>(["lost", "throttled", "closed"])(
  "giving up whose first attempt is %s leaves nothing that is billed",
  async (state) => {
    const row = await ledger.reserve(reservation, TIMEOUT_MS);
    store.valve.once(state, "UpdateItem");

    await row.void();

    expect(await stored()).toMatchObject({ st: { S: "X" }, e: { N: "1" } });
  },
);

test("an acknowledgement that is lost, and the look at the row after it, too, are made up for", async () => {
  const row = await ledger.reserve(reservation, TIMEOUT_MS);
  store.valve.once("lost", "UpdateItem");
  store.valve.once("throttled", "GetItem");

  await row.settle(settledRow(reservation), TIMEOUT_MS);

  expect(await billedRequests()).toBe(1);
});

test("a reservation that the store never acknowledges fails, and what is there is void or expires", async () => {
  store.valve.turn("lost", "PutItem");

  await failsWhileTimePasses(ledger.reserve(reservation, TIMEOUT_MS));

  await expect.poll(async () => (await stored())?.["st"]).toEqual({ S: "X" });
  expect(await billedRequests()).toBe(0);
});

test("a settled row that nobody was answered for is voided, even while nothing can be learned of it", async () => {
  const row = await ledger.reserve(reservation, TIMEOUT_MS);
  store.valve.turn("lost", "UpdateItem");
  await failsWhileTimePasses(row.settle(settledRow(reservation), TIMEOUT_MS));
  expect(await stored()).toMatchObject({ st: { S: "S" } });

  // The row is settled, but each look at it fails as well.
  store.valve.turn("throttled", "GetItem");
  const timer = setInterval(() => clock.advance(TIMEOUT_MS), STEPS_BACK_OFF_MS);
  await row.void().finally(() => clearInterval(timer));
  store.valve.turn("open");
  await ledger.drain();

  expect(await billedRequests()).toBe(0);
});

test("counts never fall: an earlier checkpoint that comes late changes nothing, and is no failure", async () => {
  const row = await ledger.reserve(reservation, TIMEOUT_MS);
  await row.checkpoint(checkpointOf(128), TIMEOUT_MS);

  await row.checkpoint(checkpointOf(64), TIMEOUT_MS);

  expect(await stored()).toMatchObject({ pg: { N: "128" } });
});

test.each<[name: string, step: (row: ReservedRow) => Promise<void>]>([
  ["checkpointed", (row) => row.checkpoint(checkpointOf(64), TIMEOUT_MS)],
  ["settled", (row) => row.settle(settledRow(reservation), TIMEOUT_MS)],
])("a row that the sealer has expired meanwhile cannot be %s", async (_, step) => {
  const row = await ledger.reserve(reservation, TIMEOUT_MS);
  const { pk, sk } = ledgerAddress(reservation, SCHEDULE);
  await lean.call(
    "UpdateItem",
    {
      TableName: "weir-ledger",
      Key: { pk: { S: pk }, sk: { S: sk } },
      UpdateExpression: "SET st = :void, e = :next",
      ExpressionAttributeValues: { ":void": { S: "X" }, ":next": { N: "2" } },
    },
    5_000,
  );

  await expect(step(row)).rejects.toMatchObject({ code: "unavailable" });

  expect(await stored()).toMatchObject({ st: { S: "X" }, e: { N: "2" } });
  await row.void();
  expect(await billedRequests()).toBe(0);
});
