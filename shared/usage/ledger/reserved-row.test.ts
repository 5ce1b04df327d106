import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { type StoppedClock, stopClock } from "../../../test/harness/clock.ts";
import { startDynamo, type TestDynamo } from "../../../test/harness/dynamo.ts";
import { newReservation, settledRow } from "../../../test/harness/reservations.ts";
import { systemIds } from "../../base/id.ts";
import { createLeanDynamo, type LeanDynamo } from "../../dynamo/lean-client.ts";
import type { ShardSchedule } from "../row.ts";
import { createUsageReader } from "../totals/usage-reader.dynamo.ts";
import { createLedger } from "./ledger.dynamo.ts";
import type { Checkpoint, Ledger, Reservation } from "./ledger.ts";

const SCHEDULE: ShardSchedule = [{ fromMinute: "", shardCount: 1 }];
const TIMEOUT_MS = 10_000;
const CHECKPOINT: Checkpoint = { servedVersion: 1, tier: "cpu", inputTokens: 7, outputTokens: 64, computeMs: 3, expiresInMs: 60_000 };

let store: TestDynamo;
let clock: StoppedClock;
let lean: LeanDynamo;
let ledger: Ledger;
let reservation: Reservation;
beforeAll(async () => {
  store = await startDynamo();
});
afterAll(() => store.close());
beforeEach(() => {
  clock = stopClock();
  lean = createLeanDynamo(store.dynamo.settings, clock);
  ledger = createLedger({ lean, tablePrefix: "weir", schedule: SCHEDULE, clock, log: () => {} });
  reservation = newReservation(clock);
});
afterEach(() => lean.close());

function billed() {
  const usage = createUsageReader({ lean, tablePrefix: "weir", schedule: SCHEDULE });
  return usage.read(reservation.tenant, { fromMs: clock.nowMs() - 60_000, toMs: clock.nowMs() + 1 });
}

test("a reserved row is billed once it is settled, with its final quantities", async () => {
  const row = await ledger.reserve(reservation, TIMEOUT_MS);
  await row.checkpoint(CHECKPOINT, TIMEOUT_MS);
  expect(await billed()).toEqual([]);

  await row.settle(settledRow(reservation), TIMEOUT_MS);

  expect(await billed()).toMatchObject([{ requests: 1, inputTokens: 7, outputTokens: 90 }]);
});

test("a row that is void can be neither checkpointed nor settled", async () => {
  const row = await ledger.reserve(reservation, TIMEOUT_MS);

  await row.void();

  await expect(row.checkpoint(CHECKPOINT, TIMEOUT_MS)).rejects.toMatchObject({ code: "unavailable" });
  await expect(row.settle(settledRow(reservation), TIMEOUT_MS)).rejects.toMatchObject({ code: "unavailable" });
  expect(await billed()).toEqual([]);
});

test("a step that is repeated changes nothing and is no failure", async () => {
  const row = await ledger.reserve(reservation, TIMEOUT_MS);
  await row.checkpoint(CHECKPOINT, TIMEOUT_MS);

  await row.checkpoint(CHECKPOINT, TIMEOUT_MS);
  await row.settle(settledRow(reservation), TIMEOUT_MS);
  await row.settle(settledRow(reservation), TIMEOUT_MS);

  expect(await billed()).toMatchObject([{ requests: 1 }]);
});

test("another epoch does not take a row that is there", async () => {
  await ledger.reserve(reservation, TIMEOUT_MS);

  await expect(ledger.reserve({ ...reservation, epoch: 2 }, TIMEOUT_MS)).rejects.toMatchObject({ code: "unavailable" });
});

test("giving up after settling leaves a marker, so that nobody is billed for what did not leave", async () => {
  const row = await ledger.reserve(reservation, TIMEOUT_MS);
  await row.settle(settledRow(reservation), TIMEOUT_MS);

  await row.void();
  await ledger.drain();

  expect(await billed()).toEqual([]);
});

test("a drain waits for steps that are under way", async () => {
  const row = await ledger.reserve(reservation, TIMEOUT_MS);
  void row.settle(settledRow(reservation), TIMEOUT_MS);

  await ledger.drain();

  expect(await billed()).toMatchObject([{ requests: 1 }]);
});

test("a released row is void, unless it turns out to be settled", async () => {
  const settled = await ledger.reserve(reservation, TIMEOUT_MS);
  await settled.settle(settledRow(reservation), TIMEOUT_MS);
  const other = { ...reservation, requestId: systemIds.requestId(clock.nowMs()) };
  const pending = await ledger.reserve(other, TIMEOUT_MS);

  await Promise.all([settled.release(), pending.release()]);
  await ledger.drain();

  expect(await billed()).toMatchObject([{ requests: 1 }]);
  expect(await ledger.findEarlier(other)).toMatchObject({ state: "void" });
});
