import { expect, test } from "vitest";
import { createSealingWorld, listed, rowAt, SEALS_TABLE } from "../../../test/harness/sealing.ts";
import { HOUR_MS, MINUTE_MS, rangeOf } from "../period.ts";

const START_MS = Date.UTC(2026, 10, 23, 19);
const MONTH = rangeOf({ kind: "month", name: "2026-11" });

test("a tenant's buckets of a running month are read without a call for each hour that lies ahead", async () => {
  const world = createSealingWorld({ schedule: [{ fromMinute: "", shardCount: 1 }], firstTenantAtMs: START_MS });
  await world.settle(rowAt(START_MS + MINUTE_MS));
  await world.sealAt(START_MS + 40 * MINUTE_MS);
  const queries = () => world.calls.get(`${SEALS_TABLE} Query`) ?? 0;
  const before = queries();

  const buckets = await listed(world.seals.ofTenant("acme", MONTH));

  expect(buckets.map(({ minute }) => minute)).toEqual(["2026-11-23T19:01"]);
  expect(queries() - before).toBeLessThan(10);
});

test("a tenant's buckets of a month cost no call for each sealed hour that it is not in", async () => {
  const world = createSealingWorld({ schedule: [{ fromMinute: "", shardCount: 1 }], firstTenantAtMs: START_MS });
  await world.settle(rowAt(START_MS + MINUTE_MS));
  await world.sealAt(START_MS + 20 * HOUR_MS);
  const queries = () => world.calls.get(`${SEALS_TABLE} Query`) ?? 0;
  const before = queries();

  const buckets = await listed(world.seals.ofTenant("globex", MONTH));

  expect(buckets).toEqual([]);
  expect(queries() - before).toBeLessThan(10);
});
