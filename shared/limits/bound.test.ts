import { setImmediate as turn } from "node:timers/promises";
import fc from "fast-check";
import { expect, test } from "vitest";
import { stopClock } from "../../test/harness/clock.ts";
import { createMemoryLimits, type Fate } from "../../test/harness/memory-limits.ts";
import { createCreditLimiter, type Refused, type Taken } from "./limiter.ts";
import { type CreditPolicy, policiesOf } from "./policy.ts";

/** What several processes do, one after the other and at once. A process that is paused simply asks nothing, or gets a late answer. */
const anyFate = fc.oneof({ weight: 6, arbitrary: fc.constant<Fate>("works") }, fc.constantFrom<Fate>("lost", "fails", "late"));
const anyStep = fc.record({
  waitMs: fc.oneof({ weight: 4, arbitrary: fc.integer({ min: 0, max: 300 }) }, fc.integer({ min: 0, max: 3_000 })),
  asks: fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 40 }),
  fates: fc.array(anyFate, { maxLength: 6 }),
  flushes: fc.boolean(),
});
const anySteps = fc.array(anyStep, { minLength: 5, maxLength: 25 });
/** How far each process's clock is off. */
const anySkews = fc.array(fc.integer({ min: -100, max: 100 }), { minLength: 1, maxLength: 5 });

/** Lets what happens in the background happen: everything is promises, and all of them run before the next turn. */
async function settle() {
  await turn();
  await turn();
}

type Admission = { readonly atMs: number; readonly credits: number };

/** By how much the fullest window goes beyond its bound, over all windows between two admissions. */
function worstExcess(admissions: readonly Admission[], mostIn: (windowMs: number) => number): number {
  let worst = Number.NEGATIVE_INFINITY;
  for (const [first, { atMs: fromMs }] of admissions.entries()) {
    let credits = 0;
    for (const { atMs, credits: more } of admissions.slice(first)) {
      credits += more;
      worst = Math.max(worst, credits - mostIn(atMs - fromMs));
    }
  }
  return worst;
}

type World = {
  readonly policy: CreditPolicy;
  readonly skews: readonly number[];
  readonly steps: readonly (typeof anyStep extends fc.Arbitrary<infer S> ? S : never)[];
};
/** A request ends so many steps after it was admitted. */
type Ask = { readonly estimate: number; readonly real: number; readonly steps: number };

/** Runs a world; requests say at their end what they really used. */
async function run({ policy, skews, steps }: World, askOf: (index: number) => Ask) {
  const [clock, store] = [stopClock(), createMemoryLimits(skews.length)];
  const limiters = skews.map((skewMs) =>
    createCreditLimiter({ store: store.leases, clock: { nowMs: () => clock.nowMs() + skewMs }, random: () => 0.5 }),
  );
  const admitted: (Admission & Ask)[] = [];
  let running: { steps: number; readonly end: () => void }[] = [];
  let index = 0;
  for (const { waitMs, asks, fates, flushes } of steps) {
    clock.advance(waitMs);
    store.deliver();
    await settle();
    for (const each of running) {
      each.steps -= 1;
      if (each.steps === 0) each.end();
    }
    running = running.filter((each) => each.steps > 0);
    store.fates.splice(0, store.fates.length, ...fates);
    for (const each of asks) {
      const limiter = limiters[each % limiters.length];
      const ask = askOf(index);
      index += 1;
      if (limiter === undefined) continue;
      const noted = (verdict: Taken | Refused) => {
        if (!verdict.isAdmitted) return;
        admitted.push({ atMs: clock.nowMs(), credits: ask.real, ...ask });
        running.push({ steps: ask.steps, end: () => limiter.correct(verdict, ask.real) });
      };
      Promise.resolve(limiter.take([policy], ask.estimate)).then(noted, () => {});
    }
    if (flushes) for (const limiter of limiters) void limiter.flush();
    await settle();
  }
  return admitted;
}

function skewMsOf(skews: readonly number[]): number {
  return Math.max(...skews) - Math.min(...skews);
}

test("in any window at most burst + rate·(window + lease life + clock skew) are admitted, whatever is lost, late, skewed or paused", async () => {
  const anyRate = fc.record({ requestsPerSecond: fc.integer({ min: 1, max: 400 }), burst: fc.integer({ min: 1, max: 100 }) });

  await fc.assert(
    fc.asyncProperty(anyRate, anySkews, anySteps, async (rate, skews, steps) => {
      const [policy] = policiesOf({ tenant: { id: "t", rate }, key: { id: "k" } }).requests;
      if (policy === undefined) throw new Error("a rate was asked for");

      const admitted = await run({ policy, skews, steps }, () => ({ estimate: 1, real: 1, steps: 1 }));

      const slackMs = policy.leaseLifeMs + skewMsOf(skews);
      const excess = worstExcess(admitted, (windowMs) => rate.burst + (rate.requestsPerSecond * (windowMs + slackMs)) / 1_000);
      expect(excess).toBeLessThanOrEqual(1e-6);
    }),
    { numRuns: 100, endOnFailure: true },
  );
});

test("what is given back never breaks the bound: tokens really used stay within it as long as no estimate is too low", async () => {
  // Large shares of a minute's tokens, used wholly or hardly, over waits in which much of a minute goes by: where giving back too much would show.
  const anyAsk = fc.record({
    estimate: fc.integer({ min: 5, max: 95 }),
    used: fc.constantFrom(0, 0, 100),
    steps: fc.integer({ min: 1, max: 4 }),
  });
  const anySlowStep = fc.record({
    waitMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 2_000 }), fc.integer({ min: 5_000, max: 30_000 })),
    asks: fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 }),
    fates: fc.array(anyFate, { maxLength: 2 }),
    flushes: fc.oneof({ weight: 4, arbitrary: fc.constant(true) }, fc.constant(false)),
  });

  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(600, 6_000),
      fc.array(anyAsk, { minLength: 1, maxLength: 30 }),
      fc.array(fc.integer({ min: -100, max: 100 }), { minLength: 1, maxLength: 2 }),
      fc.array(anySlowStep, { minLength: 5, maxLength: 25 }),
      async (tokensPerMinute, asks, skews, steps) => {
        const [policy] = policiesOf({
          tenant: { id: "t", rate: { requestsPerSecond: 1, burst: 1 }, limits: { tokensPerMinute } },
          key: { id: "k" },
        }).tokens;
        if (policy === undefined) throw new Error("tokens were asked for");
        const askOf = (index: number): Ask => {
          const { estimate = 1, used = 0, steps: stepCount = 1 } = asks[index % asks.length] ?? {};
          const tokens = (estimate * tokensPerMinute) / 100;
          return { estimate: tokens, real: (tokens * used) / 100, steps: stepCount };
        };

        const admitted = await run({ policy, skews, steps }, askOf);

        const slackMs = policy.leaseLifeMs + skewMsOf(skews);
        const excess = worstExcess(admitted, (windowMs) => tokensPerMinute + (tokensPerMinute * (windowMs + slackMs)) / 60_000);
        expect(excess).toBeLessThanOrEqual(1e-6);
      },
    ),
    { numRuns: 300, endOnFailure: true },
  );
});

test("estimates that are too low are paid back: nothing more is admitted while what was used exceeds burst + rate·time, but for credits that were leased before it was known", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 600, max: 6_000 }),
      fc.array(fc.tuple(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 0, max: 400 })), { minLength: 1 }),
      fc.array(fc.integer({ min: 0, max: 2_000 }), { minLength: 20, maxLength: 60 }),
      async (tokensPerMinute, asks, waits) => {
        const [policy] = policiesOf({
          tenant: { id: "t", rate: { requestsPerSecond: 1, burst: 1 }, limits: { tokensPerMinute } },
          key: { id: "k" },
        }).tokens;
        if (policy === undefined) throw new Error("tokens were asked for");
        const [clock, store] = [stopClock(), createMemoryLimits(2)];
        const limiters = [0, 1].map(() => createCreditLimiter({ store: store.leases, clock, random: () => 0 }));
        const startMs = clock.nowMs();
        const debts: Admission[] = [];
        let used = 0;

        for (const [index, waitMs] of waits.entries()) {
          clock.advance(waitMs);
          const [estimate, real] = asks[index % asks.length] ?? [1, 1];
          const limiter = limiters[index % 2];
          const verdict = await limiter?.take([policy], estimate);
          if (limiter === undefined || !verdict?.isAdmitted) continue;
          // Credits that were leased before a debt was written are used nevertheless, for as long as they live.
          const fresh = debts
            .filter(({ atMs }) => atMs > clock.nowMs() - policy.leaseLifeMs)
            .reduce((sum, { credits }) => sum + credits, 0);
          const most = tokensPerMinute + (tokensPerMinute * (clock.nowMs() - startMs + policy.leaseLifeMs)) / 60_000 + fresh;
          expect(used + estimate).toBeLessThanOrEqual(most + 1e-6);
          limiter.correct(verdict, real);
          await limiter.flush();
          used += real;
          debts.push({ atMs: clock.nowMs(), credits: Math.max(0, real - estimate) });
        }
      },
    ),
    { numRuns: 100, endOnFailure: true },
  );
});
