import { randomUUID } from "node:crypto";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { stopClock } from "../../test/harness/clock.ts";
import { startDynamo, type TestDynamo } from "../../test/harness/dynamo.ts";
import type { Clock } from "../base/clock.ts";
import { createLeanDynamo, type LeanDynamo } from "../dynamo/lean-client.ts";
import { costUs, gcraOf, roomAt } from "./gcra.ts";
import { createLeaseStore } from "./lease-store.dynamo.ts";
import { createRateLimiter, LEASE_LIFE_MS, type LeaseRequest, type LeaseStore } from "./limiter.ts";
import type { RequestRate } from "./policy.ts";

let store: TestDynamo;
let lean: LeanDynamo;
beforeAll(async () => {
  store = await startDynamo();
  lean = createLeanDynamo(store.dynamo, stopClock());
});
afterAll(async () => {
  await lean.close();
  await store.close();
});

const policyOf = ({ requestsPerSecond, burst }: RequestRate) => gcraOf({ perSecond: requestsPerSecond, burst });
const newPolicy = () => `policy-${randomUUID()}`;
const leaseStoreOf = (lessee: string) => createLeaseStore({ lean, tablePrefix: "weir", lessee });
const limiterOf = (lessee: string, clock: Clock) => createRateLimiter(leaseStoreOf(lessee), clock);

/** The rules of the store, in memory: for simulations of many thousand requests. */
function createMemoryLeases(): LeaseStore & { readonly leaseCount: () => number } {
  const tats = new Map<string, number>();
  let leaseCount = 0;
  return {
    leaseCount: () => leaseCount,
    async lease({ policyKey, policy, want, nowUs }: LeaseRequest) {
      leaseCount += 1;
      const tatUs = tats.get(policyKey) ?? 0;
      const granted = Math.min(want, roomAt(policy, tatUs, nowUs));
      const moved = granted === 0 ? tatUs : Math.max(tatUs, nowUs) + costUs(policy, granted);
      tats.set(policyKey, moved);
      return { granted, tatUs: moved, lesseeCount: 3 };
    },
  };
}

type Simulation = {
  readonly rate: RequestRate;
  readonly limiterCount: number;
  readonly steps: readonly { waitMs: number; asks: number }[];
};

/** When each request was admitted: many limiters over one store, asked at random moments. */
async function admissionsOf({ rate, limiterCount, steps }: Simulation): Promise<number[]> {
  const clock = stopClock();
  const leases = createMemoryLeases();
  const limiters = Array.from({ length: limiterCount }, () => createRateLimiter(leases, clock));
  const admittedAtMs: number[] = [];
  for (const { waitMs, asks } of steps) {
    clock.advance(waitMs);
    const verdicts = await Promise.all(
      Array.from({ length: asks }, (_, index) => limiters[index % limiterCount]?.take("p", policyOf(rate))),
    );
    for (const verdict of verdicts) if (verdict?.isAdmitted) admittedAtMs.push(clock.nowMs());
  }
  return admittedAtMs;
}

/** By how many requests the fullest window goes beyond its bound, over all windows between two admissions. */
function worstExcess(admittedAtMs: readonly number[], mostIn: (windowMs: number) => number): number {
  let worst = Number.NEGATIVE_INFINITY;
  for (const [first, fromMs] of admittedAtMs.entries()) {
    for (const [last, toMs] of admittedAtMs.entries()) {
      if (last >= first) worst = Math.max(worst, last - first + 1 - mostIn(toMs - fromMs));
    }
  }
  return worst;
}

test("in any window, no more than burst + rate·(window + lease life) are admitted, over any limiters", async () => {
  const anySimulation = fc.record({
    rate: fc.record({ requestsPerSecond: fc.integer({ min: 1, max: 500 }), burst: fc.integer({ min: 1, max: 100 }) }),
    limiterCount: fc.integer({ min: 1, max: 5 }),
    steps: fc.array(fc.record({ waitMs: fc.integer({ min: 0, max: 700 }), asks: fc.integer({ min: 0, max: 60 }) }), {
      minLength: 5,
      maxLength: 25,
    }),
  });

  await fc.assert(
    fc.asyncProperty(anySimulation, async (simulation) => {
      const admitted = await admissionsOf(simulation);

      const { requestsPerSecond, burst } = simulation.rate;
      const excess = worstExcess(admitted, (windowMs) => burst + requestsPerSecond * ((windowMs + LEASE_LIFE_MS) / 1_000));
      expect(excess).toBeLessThanOrEqual(0);
    }),
    { numRuns: 40 },
  );
});

test("a tenant that stays below its rate is never refused, and most of its requests cost no write", async () => {
  const [clock, leases] = [stopClock(), createMemoryLeases()];
  const limiter = createRateLimiter(leases, clock);
  const rate = { requestsPerSecond: 1_000, burst: 1_000 };
  let refusedCount = 0;

  for (let turn = 0; turn < 2_000; turn += 1) {
    clock.advance(2); // 500 a second
    if (!(await limiter.take("p", policyOf(rate))).isAdmitted) refusedCount += 1;
  }

  expect(refusedCount).toBe(0);
  expect(leases.leaseCount()).toBeLessThan(100);
});

test("a refused process asks the store again only when a credit can be free", async () => {
  const [clock, leases] = [stopClock(), createMemoryLeases()];
  const limiter = createRateLimiter(leases, clock);
  const rate = { requestsPerSecond: 2, burst: 1 };
  await limiter.take("p", policyOf(rate));

  const refusals = await Promise.all(Array.from({ length: 50 }, () => limiter.take("p", policyOf(rate))));

  expect(refusals.every(({ isAdmitted }) => !isAdmitted)).toBe(true);
  expect(leases.leaseCount()).toBe(2);
  expect(refusals[0]).toEqual({ isAdmitted: false, remaining: 0, retryAfterMs: 500 });
  clock.advance(500);
  expect((await limiter.take("p", policyOf(rate))).isAdmitted).toBe(true);
});

test("credits die one lease life after they were asked for", async () => {
  const clock = stopClock();
  const limiter = createRateLimiter(createMemoryLeases(), clock);
  const rate = { requestsPerSecond: 10, burst: 10 };
  await limiter.take("p", policyOf(rate)); // five more may be held

  clock.advance(LEASE_LIFE_MS);
  const after = await Promise.all(Array.from({ length: 12 }, () => limiter.take("p", policyOf(rate))));

  expect(after.filter(({ isAdmitted }) => isAdmitted)).toHaveLength(10);
});

test("a store that is away refuses as such when a lease is needed, and credits at hand still serve", async () => {
  const [clock, leases] = [stopClock(), createMemoryLeases()];
  let isAway = false;
  const limiter = createRateLimiter(
    { lease: async (request) => (isAway ? Promise.reject(new Error("away")) : leases.lease(request)) },
    clock,
  );
  const rate = { requestsPerSecond: 100, burst: 100 };
  await limiter.take("p", policyOf(rate));
  isAway = true;

  const verdicts = await Promise.all(Array.from({ length: 49 }, () => limiter.take("p", policyOf(rate))));

  expect(verdicts.every(({ isAdmitted }) => isAdmitted)).toBe(true); // half a second's worth was leased
  await expect(limiter.take("p", policyOf(rate))).rejects.toThrow("away");
  isAway = false;
  expect((await limiter.take("p", policyOf(rate))).isAdmitted).toBe(true);
});

test("two processes on one real store share a burst exactly", async () => {
  const clock = stopClock();
  const policy = newPolicy();
  const rate = { requestsPerSecond: 20, burst: 30 };
  const limiters = [limiterOf("a", clock), limiterOf("b", clock)];

  const verdicts = await Promise.all(Array.from({ length: 60 }, (_, index) => limiters[index % 2]?.take(policy, policyOf(rate))));

  expect(verdicts.filter((verdict) => verdict?.isAdmitted)).toHaveLength(30);
  clock.advance(1_000);
  const later = await Promise.all(Array.from({ length: 40 }, (_, index) => limiters[index % 2]?.take(policy, policyOf(rate))));
  expect(later.filter((verdict) => verdict?.isAdmitted)).toHaveLength(20);
});

const POLICY = { intervalUs: 10_000, burst: 100 };
const leaseAt = (policyKey: string, nowUs: number, want = 10) => ({ policyKey, policy: POLICY, want, nowUs, lastTatUs: 0 });

test("a lease advances a policy's time, restarts one that rested, and takes what is left of one that is short", async () => {
  const [policy, nowUs] = [newPolicy(), 1_795_000_000_000_000];
  const leases = leaseStoreOf("a");

  const first = await leases.lease(leaseAt(policy, nowUs));
  const second = await leases.lease(leaseAt(policy, nowUs + 50_000, 85));
  const third = await leases.lease(leaseAt(policy, nowUs + 50_000, 85));
  const spent = await leases.lease(leaseAt(policy, nowUs + 50_000));
  const rested = await leases.lease(leaseAt(policy, nowUs + 60_000_000));

  expect([first, second, third, spent, rested].map(({ granted }) => granted)).toEqual([10, 85, 10, 0, 10]);
  expect(first.tatUs).toBe(nowUs + 100_000);
  expect(second.tatUs).toBe(nowUs + 950_000);
  expect(rested.tatUs).toBe(nowUs + 60_100_000);
});

test("who leased in this window or the last one is counted, and nobody who came earlier", async () => {
  const [policy, windowUs] = [newPolicy(), 10_000_000];
  const startUs = 1_795_000_000_000_000;
  const leaseBy = async (lessee: string, window: number) => {
    return (await leaseStoreOf(lessee).lease(leaseAt(policy, startUs + window * windowUs, 1))).lesseeCount;
  };

  expect(await leaseBy("a", 0)).toBe(1);
  expect(await leaseBy("b", 0)).toBe(2);
  expect(await leaseBy("a", 1)).toBe(2);
  expect(await leaseBy("c", 2)).toBe(2);
  expect(await leaseBy("c", 5)).toBe(1);
});

test("a tenant that comes by now and then does not collect every process that ever served it", async () => {
  const [policy, windowUs] = [newPolicy(), 10_000_000];
  const startUs = 1_795_000_000_000_000;

  // Every third window, so that each lease finds the set of three windows ago.
  for (let turn = 0; turn < 20; turn += 1) await leaseStoreOf(`process-${turn}`).lease(leaseAt(policy, startUs + turn * 3 * windowUs, 1));

  const { Item } = await lean.call<{ Item: object }>("GetItem", { TableName: "weir-limits", Key: { pk: { S: policy } } }, 1_000);
  expect(JSON.stringify(Item).match(/process-/g)).toHaveLength(1);
});
