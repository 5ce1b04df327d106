import { expect, test } from "vitest";
import { storeUnavailable } from "../../shared/dynamo/store-trouble.ts";
import { HOUR_MS, MINUTE_MS } from "../../shared/usage/period.ts";
import { leanOver } from "../../test/harness/fake-dynamo/lean.ts";
import { createSealingWorld, listed, rowAt, type SealingWorld } from "../../test/harness/sealing.ts";

const START_MS = Date.UTC(2026, 10, 23, 19);
const HOUR = { fromMs: START_MS, toMs: START_MS + HOUR_MS };
const SEALED_MS = HOUR.toMs + 15 * MINUTE_MS;
const AUDITED_MS = HOUR.toMs + 24 * HOUR_MS;
const TIMEOUT_MS = 60_000;
const LAST_CALLS = 16;
const EVERY = 48;

async function worldWithRows() {
  const world = createSealingWorld({ schedule: [{ fromMinute: "", shardCount: 1 }], firstTenantAtMs: START_MS + MINUTE_MS });
  const [voided, died] = [rowAt(START_MS + 500), rowAt(START_MS + 58 * MINUTE_MS)];
  await world.settle(voided);
  await world.settle(rowAt(START_MS + 30 * MINUTE_MS));
  await world.reserve(died, { expiresAtMs: START_MS + HOUR_MS, checkpointed: 64 });
  return { world, voided };
}

/** One round whose process dies at the n-th call; half a call more means when it has just been done. Answers how many calls there were. */
async function roundKilledAt(world: SealingWorld, killed: { call: number; nowMs: number }): Promise<number> {
  let calls = 0;
  const dieFrom = (call: number) => {
    if (calls >= call) throw storeUnavailable(new Error("killed"));
  };
  const lean = leanOver(world.store, {
    before: () => {
      calls += 1;
      dieFrom(Math.ceil(killed.call));
    },
    after: () => dieFrom(killed.call + 0.5),
  });
  const round = world.sealer(lean)({ nowMs: killed.nowMs, signal: new AbortController().signal });
  await round.catch(() => undefined);
  return calls;
}

/** Where to die: here and there while buckets are read, and everywhere when figures are written. */
function placesIn(calls: number): number[] {
  const places: number[] = [];
  for (let call = 1; call < calls - LAST_CALLS; call += EVERY) places.push(call);
  for (let call = Math.max(1, calls - LAST_CALLS); call <= calls; call += 0.5) places.push(call);
  return places;
}

async function worldBefore(nowMs: number): Promise<SealingWorld> {
  const { world, voided } = await worldWithRows();
  if (nowMs === SEALED_MS) return world;
  await world.sealAt(AUDITED_MS - 1);
  await world.mark(voided);
  return world;
}

test.each([
  ["sealing", SEALED_MS, { requests: 3, audited: 0 }],
  ["the re-audit", AUDITED_MS, { requests: 2, audited: 60 }],
])(
  "killed at a call of %s, before or after it is done, the next round leaves the same figures",
  async (_, nowMs, { requests, audited }) => {
    const calls = await roundKilledAt(await worldBefore(nowMs), { call: Number.POSITIVE_INFINITY, nowMs });

    for (const call of placesIn(calls)) {
      const world = await worldBefore(nowMs);
      expect(await roundKilledAt(world, { call, nowMs })).toBeLessThanOrEqual(calls);
      await world.sealAt(nowMs);

      expect(await world.seals.completeness(HOUR)).toEqual({ sealed: 60, audited, of: 60 });
      for (const kind of ["hour", "day", "month"] as const) {
        const [total] = await listed(world.totals.totals("acme", kind, HOUR));
        expect([kind, call, total?.sums]).toMatchObject([kind, call, [{ requests, outputTokens: 64 }]]);
      }
      expect(world.logged).toEqual([]);
    }
  },
  TIMEOUT_MS,
);
