import { expect, test } from "vitest";
import { createSealingWorld, rowAt } from "../../../test/harness/sealing.ts";
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../period.ts";
import { createUsageFigures, OPEN_HOURS_READ_MAX } from "./usage-figures.ts";
import { createUsageReader } from "./usage-reader.dynamo.ts";

const START_MS = Date.UTC(2026, 10, 1);
const SCHEDULE = [{ fromMinute: "", shardCount: 1 }];
const QUERIES = "weir-ledger Query";

function worldOf() {
  const world = createSealingWorld({ schedule: SCHEDULE, firstTenantAtMs: START_MS + MINUTE_MS });
  const rows = createUsageReader({ lean: world.lean, tablePrefix: "weir", schedule: SCHEDULE });
  const figures = createUsageFigures({ rows, seals: world.seals, totals: world.totals });
  const read = async (fromMs: number, toMs: number) => {
    const before = world.calls.get(QUERIES) ?? 0;
    const read = await figures.read("acme", { fromMs, toMs });
    return {
      ...read,
      requests: read.sums.reduce((sum, { requests }) => sum + requests, 0),
      queries: (world.calls.get(QUERIES) ?? 0) - before,
    };
  };
  return { world, read };
}

test("closed hours come from totals, the rest from rows, and it is said up to when that is complete", async () => {
  const { world, read } = worldOf();
  const nowMs = START_MS + 29 * DAY_MS + 20 * MINUTE_MS;
  for (let day = 0; day < 30; day += 1)
    await world.settle(rowAt(START_MS + day * DAY_MS + 30_000, { tier: day % 2 === 0 ? "cpu" : "gpu" }));
  await world.sealAt(nowMs);

  const { requests, queries, sums, ...rest } = await read(START_MS, nowMs);

  expect(requests).toBe(30);
  expect(queries).toBe(20); // the minutes of the open hour
  expect(sums[0]).toEqual({
    ...{ hour: "2026-11-01T00", model: "minilm", version: 1, arm: "stable" },
    ...{ requests: 1, inputs: 1, inputTokens: 7, outputTokens: 0, computeMs: 3 },
  });
  expect(rest).toMatchObject({
    completeToMs: nowMs - 15 * MINUTE_MS,
    sealed: 29 * 24 * 60 + 5,
    of: (29 * 24 + 1) * 60,
    openHours: [{ hour: "2026-11-30T00", sealed: 5, of: 60 }],
  });
});

test("a range that cuts closed hours counts exactly what is in it", async () => {
  const { world, read } = worldOf();
  for (const atMs of [START_MS + 10, START_MS + HOUR_MS, START_MS + 2 * HOUR_MS + 10]) await world.settle(rowAt(atMs));
  await world.sealAt(START_MS + DAY_MS);

  expect(await read(START_MS + 10, START_MS + 2 * HOUR_MS + 11)).toMatchObject({ requests: 3, openHours: [] });
  expect(await read(START_MS + 11, START_MS + 2 * HOUR_MS + 10)).toMatchObject({ requests: 1, queries: 60 + 1 });
  expect((await read(START_MS + 11, START_MS + 2 * HOUR_MS + 10)).completeToMs).toBe(START_MS + 2 * HOUR_MS + 10);
});

test("sums of one version on several tiers and at several prices are one sum", async () => {
  const { world, read } = worldOf();
  await world.settle(rowAt(START_MS, { tier: "cpu", priceVersion: 1 }));
  await world.settle(rowAt(START_MS, { tier: "edge", priceVersion: 2 }));
  await world.sealAt(START_MS + DAY_MS);

  expect((await read(START_MS, START_MS + HOUR_MS)).sums).toMatchObject([{ requests: 2, inputTokens: 14 }]);
});

test("before anything is sealed rows are read, and nothing is said to be complete", async () => {
  const { world, read } = worldOf();
  await world.settle(rowAt(START_MS + 500));

  expect(await read(START_MS, START_MS + HOUR_MS)).toMatchObject({ requests: 1, completeToMs: START_MS, sealed: 0, of: 60 });
});

test("however much is open, only so many hours are read by row: what is missing is shown, not zero", async () => {
  const { world, read } = worldOf();
  await world.settle(rowAt(START_MS + 500));
  await world.settle(rowAt(START_MS + 20 * DAY_MS));

  const { requests, queries, sealed, of, openHours } = await read(START_MS, START_MS + 21 * DAY_MS);

  expect({ requests, queries }).toEqual({ requests: 1, queries: OPEN_HOURS_READ_MAX * 60 });
  expect({ sealed, of, hours: openHours.length }).toEqual({ sealed: 0, of: 21 * 24 * 60, hours: 21 * 24 });
});

test("of an old hour with a bucket that cannot be sealed, what is sealed is shown, and how much that is", async () => {
  const { world, read } = worldOf();
  await world.settle(rowAt(START_MS + 500));
  const never = { expiresAtMs: START_MS + 90 * DAY_MS, checkpointed: 0 };
  for (let hour = 0; hour <= OPEN_HOURS_READ_MAX; hour += 1) await world.reserve(rowAt(START_MS + hour * HOUR_MS + 30 * MINUTE_MS), never);
  await world.sealAt(START_MS + 3 * DAY_MS);

  const { requests, openHours } = await read(START_MS, START_MS + 2 * DAY_MS);

  expect(requests).toBe(1);
  expect(openHours[0]).toEqual({ hour: "2026-11-01T00", sealed: 59, of: 60 });
});
