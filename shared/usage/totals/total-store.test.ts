import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { startDynamo, type TestDynamo } from "../../../test/harness/dynamo.ts";
import { listed } from "../../../test/harness/sealing.ts";
import { systemClock } from "../../base/clock.ts";
import { createLeanDynamo, type LeanDynamo } from "../../dynamo/lean-client.ts";
import { rangeOf } from "../period.ts";
import type { SealedSum } from "../seals/seal.ts";
import { createSealingStore } from "../seals/sealing-store.dynamo.ts";
import { createTotalStore } from "./total-store.dynamo.ts";
import type { StoredTotal, TotalStore } from "./total-store.ts";

let dynamo: TestDynamo;
let lean: LeanDynamo;
let store: TotalStore;
beforeAll(async () => {
  dynamo = await startDynamo();
});
afterAll(() => dynamo.close());
beforeEach(() => {
  lean = createLeanDynamo(dynamo.dynamo.settings, systemClock);
  store = createTotalStore({ lean, tablePrefix: "weir" });
});
afterEach(() => lean.close());

const HOUR = { kind: "hour", name: "2026-11-23T19" } as const;
const sumOf = (requests: number, model = "minilm"): SealedSum => ({
  ...{ model, version: 1, arm: "stable", tier: "cpu", priceVersion: 1 },
  ...{ requests, inputs: 0, inputTokens: 0, outputTokens: 0, computeMs: 0 },
});
const totalOf = (tenant: string, changes: number, sums: SealedSum[]): StoredTotal => ({ tenant, period: HOUR, sums, seconds: [], changes });

test("a total that knows of fewer changes never replaces one that knows of more, nor one of as many", async () => {
  await store.put(totalOf("a", 60, [sumOf(6)]));

  await store.put(totalOf("a", 59, [sumOf(5)]));
  await store.put(totalOf("a", 60, [sumOf(7)]));
  expect(await store.get("a", HOUR)).toEqual(totalOf("a", 60, [sumOf(6)]));

  await store.put(totalOf("a", 61, [sumOf(8)]));
  expect(await store.get("a", HOUR)).toEqual(totalOf("a", 61, [sumOf(8)]));
});

test("a large total lies in pages and is read back whole, alone and in a list", async () => {
  const large = totalOf(
    "b",
    1,
    Array.from({ length: 5_000 }, (_, place) => sumOf(place + 1, `model-${String(place).padStart(4, "0")}`)),
  );

  await store.put(large);

  expect(await store.get("b", HOUR)).toEqual(large);
  expect(await listed(store.list("b", "hour", rangeOf(HOUR)))).toEqual([large]);
});

test("a list holds the periods that the range touches, of its kind and tenant", async () => {
  for (const name of ["2026-11-23T18", "2026-11-23T19", "2026-11-23T20"]) {
    await store.put({ ...totalOf("c", 1, []), period: { kind: "hour", name } });
  }
  await store.put({ ...totalOf("c", 1, []), period: { kind: "day", name: "2026-11-23" } });
  await store.put(totalOf("c2", 1, []));

  const { fromMs, toMs } = rangeOf(HOUR);
  expect((await listed(store.list("c", "hour", { fromMs: fromMs - 1, toMs }))).map(({ period }) => period.name)).toEqual([
    "2026-11-23T18",
    "2026-11-23T19",
  ]);
  expect(await listed(store.list("c", "hour", { fromMs, toMs: fromMs }))).toEqual([]);
  expect(await store.get("nobody", HOUR)).toBeUndefined();
});

test("the frontier begins once and never moves back", async () => {
  const sealing = createSealingStore({ lean, tablePrefix: "weir" });
  expect(await sealing.frontier()).toBeUndefined();

  await sealing.begin("2026-11-23T19");
  await sealing.begin("2026-11-20T00");
  await sealing.moveOn("2026-11-23T21");
  await sealing.moveOn("2026-11-23T20");

  expect(await sealing.frontier()).toEqual({ firstHour: "2026-11-23T19", nextHour: "2026-11-23T21" });
});

test("what is published of an hour is not taken back by who knew less; the agenda gives the oldest hours first", async () => {
  const sealing = createSealingStore({ lean, tablePrefix: "weir" });
  const hour = { hour: "2026-11-23T19", of: 60, audited: 0 };

  await sealing.publish({ ...hour, sealed: 37, changes: 37 });
  await sealing.publish({ ...hour, sealed: 36, changes: 36 });
  for (const name of ["2026-11-23T21", "2026-11-23T19", "2026-11-23T20"]) await sealing.addToAgenda("audit", name);
  await sealing.takeOffAgenda("audit", "2026-11-23T19");

  expect(await sealing.published("2026-11")).toEqual([{ ...hour, sealed: 37, changes: 37 }]);
  expect(await sealing.published("2026-10")).toEqual([]);
  expect(await sealing.agenda("audit", "2026-11-23T20", 10)).toEqual(["2026-11-23T20"]);
  expect(await sealing.agenda("audit", "2026-11-23T21", 1)).toEqual(["2026-11-23T20"]);
});
