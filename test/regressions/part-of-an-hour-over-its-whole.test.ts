import { expect, test } from "vitest";
import { HOUR_MS, MINUTE_MS } from "../../shared/usage/period.ts";
import { leanOver } from "../harness/fake-dynamo/lean.ts";
import { createSealingWorld, listed, roundsAt, rowAt } from "../harness/sealing.ts";

const START_MS = Date.UTC(2026, 10, 23, 19);
const END_MS = START_MS + HOUR_MS;
const AUDIT_MS = END_MS + 24 * HOUR_MS;
/** Its first hour's seals lie in two places, which are read one apart from the other. */
const SCHEDULE = [
  { fromMinute: "", shardCount: 17 },
  { fromMinute: "2026-11-23T20:00", shardCount: 1 },
];

test("what a slow sealer has seen of a part of an hour never takes the place of the hour's total, be more of it read again", async () => {
  const world = createSealingWorld({ schedule: SCHEDULE, firstTenantAtMs: START_MS });
  const [early, late] = [rowAt(START_MS + 1_000), rowAt(START_MS + 30 * MINUTE_MS)];
  await world.settle(early);
  await world.reserve(late, { expiresAtMs: AUDIT_MS + HOUR_MS, checkpointed: 1 });
  await world.sealAt(END_MS + 20 * MINUTE_MS); // all but the bucket of what is pending
  let [reads, hold, goOn] = [0, false, () => {}];
  const released = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  const slow = leanOver(world.store, {
    async before(operation, input) {
      if (operation !== "Query" || !JSON.stringify(input).includes("h#2026-11-23T19#0001")) return;
      reads += 1;
      hold = reads === 2; // the first is for what is to be sealed, the second for what to say of the hour
      if (hold) await released;
    },
  });

  const slowRound = roundsAt(world.sealer(slow), AUDIT_MS - 1_000);
  while (!hold) await new Promise((resolve) => setImmediate(resolve));
  await world.settle(late);
  await world.sealAt(AUDIT_MS - 1_000);
  await world.sealAt(AUDIT_MS);
  goOn();
  await slowRound;

  const [hour] = await listed(world.totals.totals("acme", "hour", { fromMs: START_MS, toMs: END_MS }));
  const [month] = await listed(world.totals.totals("acme", "month", { fromMs: START_MS, toMs: END_MS }));
  expect(hour?.sums.map(({ requests }) => requests)).toEqual([2]);
  expect(month?.sums.map(({ requests }) => requests)).toEqual([2]);
});
