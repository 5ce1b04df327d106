import { expect, test } from "vitest";
import { timeOf } from "../../shared/schedule/round.ts";
import { HOUR_MS, MINUTE_MS } from "../../shared/usage/period.ts";
import { ledgerAddress } from "../../shared/usage/row.ts";
import { createSealingWorld, listed, rowAt, SEALS_TABLE } from "../../test/harness/sealing.ts";

const START_MS = Date.UTC(2026, 10, 23, 19);
const HOUR = { fromMs: START_MS, toMs: START_MS + HOUR_MS };
const ONE_SHARD = [{ fromMinute: "", shardCount: 1 }];
const FIRST_SEALED_MS = START_MS + 16 * MINUTE_MS;
const HOUR_SEALED_MS = START_MS + HOUR_MS + 15 * MINUTE_MS;
const AUDITED_MS = START_MS + 25 * HOUR_MS;

const worldOf = (schedule = ONE_SHARD) => createSealingWorld({ schedule, firstTenantAtMs: START_MS + MINUTE_MS });
const hourTotals = (world: ReturnType<typeof worldOf>, tenant = "acme") => listed(world.totals.totals(tenant, "hour", HOUR));
const stateOf = (world: ReturnType<typeof worldOf>, row: ReturnType<typeof rowAt>) => {
  const { pk, sk } = ledgerAddress(row, ONE_SHARD);
  return world.store.items("ledger").find((item) => JSON.stringify([item["pk"], item["sk"]]) === JSON.stringify([{ S: pk }, { S: sk }]));
};

test("a minute is sealed when a quarter of an hour has passed since its end, with its sums, digests and seconds", async () => {
  const world = worldOf();
  await world.settle(rowAt(START_MS + 500));
  await world.settle(rowAt(START_MS + 700, { tenant: "globex", outputTokens: 5, lease: "l1" }));

  await world.sealAt(FIRST_SEALED_MS - 1);
  expect(await world.seals.completeness(HOUR)).toEqual({ sealed: 0, audited: 0, of: 60 });
  await world.sealAt(FIRST_SEALED_MS);

  expect(await world.seals.completeness(HOUR)).toEqual({ sealed: 1, audited: 0, of: 60 });
  const [seal, ...others] = await listed(world.seals.seals(HOUR));
  expect(others).toEqual([]);
  expect(seal).toMatchObject({ minute: "2026-11-23T19:00", shard: 0, revision: 1, rowCount: 2, sealedAtMs: FIRST_SEALED_MS });
  const sum = { model: "minilm", version: 1, arm: "stable", tier: "cpu", priceVersion: 1, requests: 1, inputs: 1, inputTokens: 7 };
  expect(seal?.tenants).toMatchObject([
    { tenant: "acme", rowCount: 1, sums: [{ ...sum, outputTokens: 0 }], leases: [] },
    { tenant: "globex", rowCount: 1, sums: [{ ...sum, outputTokens: 5 }], leases: [{ lease: "l1", sums: [{ requests: 1 }] }] },
  ]);
  expect(seal?.tenants[0]?.perSecond).toEqual([{ model: "minilm", counts: [1, ...new Array(59).fill(0)] }]);
  expect(new Set([seal?.digest, ...(seal?.tenants.map(({ digest }) => digest) ?? [])]).size).toBe(3);
});

test("what is pending keeps its bucket open, and no other", async () => {
  const world = worldOf();
  const row = rowAt(START_MS + 500);
  await world.reserve(row, { expiresAtMs: FIRST_SEALED_MS + MINUTE_MS, checkpointed: 0 });

  await world.sealAt(FIRST_SEALED_MS + MINUTE_MS - 1);

  expect(await world.seals.firstUnsealed(HOUR)).toEqual({ minute: "2026-11-23T19:00", shard: 0 });
  await world.sealAt(FIRST_SEALED_MS + MINUTE_MS);
  expect(await world.seals.firstUnsealed(HOUR)).toEqual({ minute: "2026-11-23T19:02", shard: 0 });
  expect(stateOf(world, row)).toMatchObject({ st: { S: "X" }, e: { N: "2" } });
  expect(await listed(world.seals.seals(HOUR))).toEqual([]);
});

test("a pending row whose time is over is billed as far as it was checkpointed", async () => {
  const world = worldOf();
  const row = rowAt(START_MS + 500, { outputTokens: 640 });
  await world.reserve(row, { expiresAtMs: FIRST_SEALED_MS, checkpointed: 128 });

  await world.sealAt(HOUR_SEALED_MS);

  expect(stateOf(world, row)).toMatchObject({ st: { S: "S" }, e: { N: "2" }, to: { N: "128" }, oc: { S: "cut" } });
  expect(await hourTotals(world)).toMatchObject([{ sums: [{ requests: 1, inputTokens: 7, outputTokens: 128 }] }]);
});

test("a row that is checkpointed while the sealer looks is not expired with what was read before", async () => {
  const row = rowAt(START_MS + 500);
  const later = { expiresAtMs: FIRST_SEALED_MS + HOUR_MS, checkpointed: 192 };
  let hasCheckpointed = false;
  const world = createSealingWorld({
    schedule: ONE_SHARD,
    firstTenantAtMs: START_MS,
    use: {
      before: async (operation, input) => {
        if (hasCheckpointed || operation !== "UpdateItem" || !JSON.stringify(input).includes("weir-ledger")) return;
        hasCheckpointed = true;
        await world.reserve(row, later);
      },
    },
  });
  await world.reserve(row, { expiresAtMs: FIRST_SEALED_MS, checkpointed: 128 });

  await world.sealAt(FIRST_SEALED_MS);

  expect(hasCheckpointed).toBe(true);
  expect(stateOf(world, row)).toMatchObject({ st: { S: "P" }, e: { N: "1" }, pg: { N: "192" } });
  expect(await world.seals.completeness(HOUR)).toMatchObject({ sealed: 0 });
});

test("an hour whose buckets are all sealed has totals; a sealed one that nobody used has none", async () => {
  const world = worldOf();
  await world.settle(rowAt(START_MS + 500));
  await world.settle(rowAt(START_MS + 59 * MINUTE_MS, { model: "gpt" }));

  await world.sealAt(HOUR_SEALED_MS - 1);
  expect(await hourTotals(world)).toEqual([]);
  await world.sealAt(HOUR_SEALED_MS);

  expect(await world.seals.completeness(HOUR)).toEqual({ sealed: 60, audited: 0, of: 60 });
  expect(await hourTotals(world)).toMatchObject([{ sums: [{ model: "gpt" }, { model: "minilm" }] }]);
  expect(await hourTotals(world, "globex")).toEqual([]);
});

test("the re-audit a day later finds a late row and a late marker, and gives their buckets a second revision", async () => {
  const world = worldOf();
  const [voided, kept] = [rowAt(START_MS + 500, { tenant: "globex" }), rowAt(START_MS + 2 * MINUTE_MS)];
  await world.settle(voided);
  await world.settle(kept);
  await world.sealAt(HOUR_SEALED_MS);
  await world.mark(voided);
  await world.settle(rowAt(START_MS + 5 * MINUTE_MS));

  await world.sealAt(AUDITED_MS - 1);
  expect((await world.seals.completeness(HOUR)).audited).toBe(0);
  await world.sealAt(AUDITED_MS);

  expect(await world.seals.completeness(HOUR)).toEqual({ sealed: 60, audited: 60, of: 60 });
  const seals = await listed(world.seals.seals(HOUR));
  expect(seals.map(({ minute, revision, rowCount }) => [minute.slice(-2), revision, rowCount])).toEqual([
    ["02", 1, 1],
    ["05", 2, 1],
  ]);
  // What only the first reading had found is kept no longer.
  expect(
    world.store.items("seals").flatMap(({ sk }) => (sk !== undefined && "S" in sk && sk.S.startsWith("page#") ? [sk.S.slice(5, 7)] : [])),
  ).toEqual(["02", "05"]);
  expect(await hourTotals(world)).toMatchObject([{ sums: [{ requests: 2 }] }]);
  // A total of nothing stands where there was one: readers of the first must not keep it.
  expect(await hourTotals(world, "globex")).toMatchObject([{ sums: [], seconds: [] }]);
  expect(await listed(world.rows.rows("globex", HOUR))).toEqual([]);
});

test("rounds that find nothing new write nothing", async () => {
  const world = worldOf();
  await world.settle(rowAt(START_MS + 500));
  await world.sealAt(AUDITED_MS);
  const writes = world.store.journal.length;

  await world.sealAt(AUDITED_MS);

  expect(world.store.journal).toHaveLength(writes);
});

test("empty buckets cost one write for each minute, whatever the shards", async () => {
  const world = worldOf([{ fromMinute: "", shardCount: 16 }]);

  await world.sealAt(HOUR_SEALED_MS);

  expect(await world.seals.completeness(HOUR)).toEqual({ sealed: 960, audited: 0, of: 960 });
  const minutes = 60 + 1; // of the next hour, the first is sealed too
  expect(world.calls.get(`${SEALS_TABLE} UpdateItem`)).toBeLessThanOrEqual(minutes + 1);
});

test("an hour in which the number of shards grows over a group is complete when the buckets of both are sealed", async () => {
  const world = worldOf([
    { fromMinute: "", shardCount: 1 },
    { fromMinute: "2026-11-23T19:58", shardCount: 40 },
  ]);
  for (let at = 0; at < 60; at += 1) await world.settle(rowAt(START_MS + 59 * MINUTE_MS + at * 1_000));
  await world.settle(rowAt(START_MS));

  await world.sealAt(HOUR_SEALED_MS);

  expect(await world.seals.completeness(HOUR)).toEqual({ sealed: 58 + 80, audited: 0, of: 58 + 80 });
  expect(await hourTotals(world)).toMatchObject([{ sums: [{ requests: 61 }], seconds: [{ histogram: [[1, 61]] }] }]);
  const seals = await listed(world.seals.seals(HOUR));
  expect(seals.map(({ shard }) => shard)).toEqual(seals.map(({ shard }) => shard).toSorted((a, b) => a - b));
  expect(await listed(world.rows.rows("acme", HOUR))).toHaveLength(61);
});

test("a row that cannot be read keeps its bucket open, loudly, and holds up nothing behind it", async () => {
  const world = worldOf();
  const bad = ledgerAddress(rowAt(START_MS + 500), ONE_SHARD);
  await world.put({ pk: { S: bad.pk }, sk: { S: bad.sk }, st: { S: "S" }, rv: { N: "9" } });
  await world.settle(rowAt(START_MS + 2 * HOUR_MS));

  await world.sealAt(START_MS + 30 * HOUR_MS);

  expect(await world.seals.completeness(HOUR)).toMatchObject({ sealed: 59, of: 60 });
  expect(await world.seals.completeness({ fromMs: START_MS + HOUR_MS, toMs: START_MS + 3 * HOUR_MS })).toMatchObject({
    sealed: 120,
    audited: 120,
  });
  expect(world.logged[0]).toMatch(/cannot be sealed .*2026-11-23T19:00/);
});

test("sealing begins with the hour of the first tenant, and what was before lacks nothing", async () => {
  const world = worldOf();

  await world.sealAt(HOUR_SEALED_MS);

  const day = { fromMs: START_MS - 19 * HOUR_MS, toMs: START_MS + HOUR_MS };
  expect(await world.seals.completeness(day)).toEqual({ sealed: 60, audited: 0, of: 60 });
});

test("while there is no tenant nothing is sealed, and nothing is written", async () => {
  const world = createSealingWorld({ schedule: ONE_SHARD, firstTenantAtMs: undefined });

  await world.sealAt(HOUR_SEALED_MS);

  expect(world.store.journal).toEqual([]);
});

test("after days of being off, each round does a bounded part, and the next goes on", async () => {
  const world = worldOf();
  await world.settle(rowAt(START_MS + 500));
  const nowMs = START_MS + 10 * 24 * HOUR_MS;
  const round = world.sealer();
  const signal = new AbortController().signal;

  expect(await round({ nowMs, signal })).toEqual({ hasMore: true });
  const afterOne = await world.seals.completeness({ fromMs: START_MS, toMs: nowMs });
  await world.sealAt(nowMs);
  const all = await world.seals.completeness({ fromMs: START_MS, toMs: nowMs - HOUR_MS });

  expect(afterOne.sealed).toBeGreaterThan(9_000);
  expect(afterOne.sealed).toBeLessThan(afterOne.of);
  // What is sealed a day late or later has been read a day later.
  expect(all).toMatchObject({ sealed: all.of });
  expect(await world.seals.completeness(HOUR)).toEqual({ sealed: 60, audited: 60, of: 60 });
  expect(world.calls.get("weir-ledger Query")).toBeLessThan(1.2 * afterOne.of);
});

test("a round that is told to stop begins no further bucket", async () => {
  const world = worldOf();

  expect(await world.sealer()({ nowMs: HOUR_SEALED_MS, signal: AbortSignal.abort() })).toEqual({ hasMore: true });

  expect(world.calls.get("weir-ledger Query")).toBeUndefined();
});

test("a clock that is off the store's closes nothing", async () => {
  const world = worldOf();
  const round = world.sealer({ ...world.lean, clockSkewMs: () => 31_000 });

  await expect(round({ nowMs: HOUR_SEALED_MS, signal: new AbortController().signal })).rejects.toThrow("31 s off the store's");

  expect(await world.seals.completeness(HOUR)).toMatchObject({ sealed: 0 });
});

test("a round that began by a clock which is right only since closes nothing by the time it had", async () => {
  const world = worldOf();
  const clock = { nowMs: () => aheadMs };
  let aheadMs = HOUR_SEALED_MS;
  const begun = timeOf(clock);
  aheadMs = HOUR.fromMs;

  await expect(world.sealer()({ ...begun, signal: new AbortController().signal })).rejects.toThrow("set back");

  expect(await world.seals.completeness(HOUR)).toMatchObject({ sealed: 0 });
});

test("a reader that begins while an hour is being sealed misses nothing of it", async () => {
  let isSealed = false;
  const world = createSealingWorld({
    schedule: ONE_SHARD,
    firstTenantAtMs: START_MS,
    use: {
      async after(operation, input) {
        if (isSealed || operation !== "Query" || !JSON.stringify(input).includes("t#acme")) return;
        isSealed = true; // between its two looks
        await world.sealAt(HOUR_SEALED_MS);
      },
    },
  });
  await world.settle(rowAt(START_MS + 500));

  expect(await listed(world.seals.ofTenant("acme", HOUR))).toHaveLength(1);
  expect(isSealed).toBe(true);
});

test("a row reader refuses rows that are not those of the seal", async () => {
  const world = worldOf();
  await world.settle(rowAt(START_MS + 500));
  await world.sealAt(HOUR_SEALED_MS);
  await world.settle(rowAt(START_MS + 600));

  await expect(listed(world.rows.rows("acme", HOUR))).rejects.toThrow("it holds 2 rows, not 1");
});

test("a clock that went back by more than a day is said, since its minutes are not read any more", async () => {
  const world = worldOf();
  await world.sealAt(AUDITED_MS + 2 * HOUR_MS);

  await world.sealAt(AUDITED_MS);
  expect(world.logged).toEqual([]);
  await world.sealAt(START_MS);

  expect(world.logged).toEqual([expect.stringMatching(/more than a day behind what is sealed.*2026-11-24T23/)]);
});
