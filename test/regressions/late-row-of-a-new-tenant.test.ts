import { expect, test } from "vitest";
import { HOUR_MS, MINUTE_MS } from "../../shared/usage/period.ts";
import { leanOver } from "../harness/fake-dynamo/lean.ts";
import { createSealingWorld, roundsAt, rowAt } from "../harness/sealing.ts";

const START_MS = Date.UTC(2026, 10, 23, 19);
const AUDIT_MS = START_MS + 25 * HOUR_MS;
const SCHEDULE = [{ fromMinute: "", shardCount: 1 }];

/** A lease's rows are counted as soon as its minutes are read again, be it that the hour around them is not: a balance is closed by that. */
test("what a lease has used is told whole once its minutes are read again, of a tenant that the hour had not at first, too", async () => {
  const world = createSealingWorld({ schedule: SCHEDULE, firstTenantAtMs: START_MS });
  await world.settle(rowAt(START_MS + MINUTE_MS, { tenant: "globex" }));
  await world.sealAt(START_MS + 2 * HOUR_MS);
  await world.settle(rowAt(START_MS + 2 * MINUTE_MS, { lease: "l" }));
  const killed = leanOver(world.store, {
    before: (operation, input) => {
      if (operation === "PutItem" && JSON.stringify(input).includes('"t#')) throw new Error("killed");
    },
  });
  await expect(roundsAt(world.sealer(killed), AUDIT_MS)).rejects.toThrow();

  const { completeness, uses } = await world.seals.leases("acme", { fromMs: START_MS, toMs: START_MS + 11 * MINUTE_MS });

  expect(completeness).toEqual({ sealed: 11, audited: 11, of: 11 });
  expect(uses.map(({ lease, sums }) => [lease, sums.map(({ requests }) => requests)])).toEqual([["l", [1]]]);
});
