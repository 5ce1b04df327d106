import { expect, test } from "vitest";
import { DAY_MS, HOUR_MS, MINUTE_MS, periodAt } from "../../shared/usage/period.ts";
import { createSealingStore } from "../../shared/usage/seals/sealing-store.dynamo.ts";
import { createSealingWorld, listed, rowAt, type SealingWorld } from "../../test/harness/sealing.ts";

const START_MS = Date.UTC(2026, 10, 23, 19);
const AUDITED_MS = START_MS + 25 * HOUR_MS;
const FORGOTTEN_MS = START_MS + 35 * DAY_MS + HOUR_MS;
const SCHEDULE = [{ fromMinute: "", shardCount: 3 }];

async function worldWithKeys() {
  const world = createSealingWorld({ schedule: SCHEDULE, firstTenantAtMs: START_MS + MINUTE_MS });
  const settled = rowAt(START_MS + 500, { idempotency: "acme#one" });
  const idle = rowAt(START_MS + 5 * MINUTE_MS, { idempotency: "acme#two" });
  await world.settle(settled);
  await world.settle(rowAt(START_MS + 700));
  // Void in the end, but its key was used all the same.
  await world.reserve(idle, { expiresAtMs: START_MS + 10 * MINUTE_MS, checkpointed: 0 });
  const identities = [
    { id: "acme#one", requestId: settled.requestId },
    { id: "acme#two", requestId: idle.requestId },
  ];
  return { world, identities };
}

/** The weeks in between are not what is tried here. */
function skipTo(world: SealingWorld, atMs: number): Promise<void> {
  return createSealingStore({ lean: world.lean, tablePrefix: "weir" }).moveOn(periodAt("hour", atMs).name);
}

test("answers are dropped when a bucket is read again, keys 35 days later, of void rows too", async () => {
  const { world, identities } = await worldWithKeys();

  await world.sealAt(AUDITED_MS - 1);
  expect(world.forgotten).toEqual({ answers: [], keys: [] });
  await world.sealAt(AUDITED_MS);
  expect(world.forgotten).toEqual({ answers: identities, keys: [] });
  await skipTo(world, FORGOTTEN_MS);
  await world.sealAt(FORGOTTEN_MS - 1);
  expect(world.forgotten.keys).toEqual([]);
  await world.sealAt(FORGOTTEN_MS);
  expect(world.forgotten.keys).toEqual(identities);
  await world.sealAt(FORGOTTEN_MS + HOUR_MS);
  expect(world.forgotten).toEqual({ answers: identities, keys: identities });
});

test("what was sealed months late is forgotten all the same", async () => {
  const { world, identities } = await worldWithKeys();
  await world.sealAt(START_MS);
  await skipTo(world, FORGOTTEN_MS);

  await world.sealAt(FORGOTTEN_MS);

  expect(world.forgotten).toEqual({ answers: identities, keys: identities });
});

test("hours without keys are read no third time", async () => {
  const world = createSealingWorld({ schedule: SCHEDULE, firstTenantAtMs: START_MS + MINUTE_MS });
  await world.settle(rowAt(START_MS + 500));
  await world.sealAt(AUDITED_MS);
  const items = world.store.items("seals").filter((item) => JSON.stringify(item["pk"]) === '{"S":"agenda#forget"}');

  expect(items).toEqual([]);
  expect(await listed(world.seals.seals({ fromMs: START_MS, toMs: START_MS + HOUR_MS }))).toHaveLength(1);
});
