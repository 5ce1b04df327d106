import fc from "fast-check";
import { expect, test } from "vitest";
import { type StoppedClock, stopClock } from "../../test/harness/clock.ts";
import { createFakeDynamo, type FakeDynamo } from "../../test/harness/fake-dynamo/fake-dynamo.ts";
import { type LeanUse, leanOver } from "../../test/harness/fake-dynamo/lean.ts";
import { createLeaseStore } from "./lease-store.dynamo.ts";
import { createCreditLimiter } from "./limiter.ts";
import { type CreditPolicy, policiesOf, REQUEST_LEASE_LIFE_MS, type RequestRate } from "./policy.ts";
import { convertedUs } from "./terms.ts";

/** An item that had nothing left is believed for so long. */
const BELIEVED_MS = 1_000;

function policyOf(rate: RequestRate, revision: number): CreditPolicy {
  const [policy] = policiesOf({ tenant: { id: "t", revision, rate }, key: { id: "k" } }).requests;
  if (policy === undefined) throw new Error("a rate was asked for");
  return policy;
}

function tokens(tokensPerMinute: number, revision: number): CreditPolicy {
  const rate = { requestsPerSecond: 1, burst: 1 };
  const [policy] = policiesOf({ tenant: { id: "t", revision, rate, limits: { tokensPerMinute } }, key: { id: "k" } }).tokens;
  if (policy === undefined) throw new Error("tokens were asked for");
  return policy;
}

const start = () => ({ clock: stopClock(), store: createFakeDynamo({ tablePrefix: "weir" }) });

let count = 0;
function gatewayOver(clock: StoppedClock, store: FakeDynamo, use: LeanUse = {}) {
  count += 1;
  const leases = createLeaseStore({ lean: leanOver(store, use), tablePrefix: "weir", lessee: `gateway-${count}` });
  const limiter = createCreditLimiter({ store: leases, clock, random: () => 0.5 });
  return { limiter, isAdmitted: async (policy: CreditPolicy) => (await limiter.take([policy], 1)).isAdmitted };
}

async function spendAll(gateway: ReturnType<typeof gatewayOver>, policy: CreditPolicy) {
  let spent = 0;
  while (await gateway.isAdmitted(policy)) spent += 1;
  return spent;
}

test("who buys more waits no longer than anybody with the new rate: what is spent stays spent, and comes back at that rate", async () => {
  const { clock, store } = start();
  const [before, after] = [policyOf({ requestsPerSecond: 0.1, burst: 60 }, 1), policyOf({ requestsPerSecond: 100, burst: 60 }, 2)];
  const [one, other] = [gatewayOver(clock, store), gatewayOver(clock, store)];
  expect(await spendAll(one, before)).toBe(60);

  expect(await other.isAdmitted(after)).toBe(false);
  clock.advance(300);

  expect((await spendAll(one, after)) + (await spendAll(other, after))).toBe(30);
});

test("whose rate is lowered waits no longer than anybody with the new rate, and gets no more than that", async () => {
  const { clock, store } = start();
  const [before, after] = [policyOf({ requestsPerSecond: 100, burst: 2_000 }, 1), policyOf({ requestsPerSecond: 1, burst: 5 }, 2)];
  const gateway = gatewayOver(clock, store);
  expect(await spendAll(gateway, before)).toBe(2_000);

  expect(await gateway.isAdmitted(after)).toBe(false);
  clock.advance(2_000);

  expect(await spendAll(gateway, after)).toBe(2);
});

test("a change costs the store one write and one read, and no request after it any", async () => {
  const { clock, store } = start();
  const [before, after] = [policyOf({ requestsPerSecond: 50, burst: 100 }, 1), policyOf({ requestsPerSecond: 100, burst: 200 }, 2)];
  const writesOf = async (policies: readonly CreditPolicy[]) => {
    const gateway = gatewayOver(clock, store);
    for (let turn = 0; turn < 60; turn += 1) await gateway.isAdmitted(before);
    const known = store.journal.length;
    for (const policy of policies) for (let turn = 0; turn < 20; turn += 1) await gateway.isAdmitted(policy);
    clock.advance(60_000);
    return store.journal.length - known;
  };

  const unchanged = await writesOf([before, before]);
  const changed = await writesOf([before, after]);

  expect(changed - unchanged).toBeLessThanOrEqual(1);
});

test("a gateway that has not heard of the change counts by what the item says, so that the two do not convert to and fro", async () => {
  const { clock, store } = start();
  const [before, after] = [policyOf({ requestsPerSecond: 100, burst: 2_000 }, 1), policyOf({ requestsPerSecond: 1, burst: 5 }, 2)];
  const [stale, informed] = [gatewayOver(clock, store), gatewayOver(clock, store)];
  await spendAll(stale, before);
  expect(await informed.isAdmitted(after)).toBe(false);
  clock.advance(BELIEVED_MS);

  const admitted = [await stale.isAdmitted(before), await stale.isAdmitted(before), await informed.isAdmitted(after)];
  clock.advance(10_000); // the item is whole again, and not by the earlier burst
  const whole = (await spendAll(stale, before)) + (await spendAll(informed, after));

  expect(admitted).toEqual([true, false, false]);
  expect(whole).toBe(5);
});

test("where a restored backup knows only earlier revisions, their rate counts once the item has rested", async () => {
  const { clock, store } = start();
  const [lost, restored] = [policyOf({ requestsPerSecond: 1, burst: 5 }, 9), policyOf({ requestsPerSecond: 100, burst: 2_000 }, 2)];
  const gateway = gatewayOver(clock, store);
  await spendAll(gateway, lost);
  clock.advance(120_000);
  const tooEarly = await spendAll(gatewayOver(clock, store), restored);
  clock.advance(126_000);
  const { remaining } = await gateway.limiter.look(restored);

  const rested = await spendAll(gatewayOver(clock, store), restored);

  expect([tooEarly, remaining, rested]).toEqual([5, 2_000, 2_000]);
});

/** Two gateways, the second of which does something right before the first writes for the n-th time. */
function racing(write: number, work: (other: ReturnType<typeof gatewayOver>) => Promise<unknown>) {
  const { clock, store } = start();
  const other = gatewayOver(clock, store);
  let writes = 0;
  const before = async (operation: string) => {
    if (operation !== "UpdateItem") return;
    writes += 1;
    if (writes === write) await work(other);
  };
  return { clock, store, other, one: gatewayOver(clock, store, { before }) };
}

test("what is leased by the earlier rate while the item is converted stays spent", async () => {
  const [before, after] = [policyOf({ requestsPerSecond: 1, burst: 100 }, 1), policyOf({ requestsPerSecond: 2, burst: 100 }, 2)];
  const { one, other, clock, store } = racing(2, async (late) => late.limiter.take([before], 40));
  await other.limiter.take([before], 40);

  // Its first write guesses that nothing is spent, its second converts.
  const taken = await one.limiter.take([after], 5);

  expect(taken.isAdmitted).toBe(true);
  expect((await gatewayOver(clock, store).limiter.look(after)).remaining).toBeLessThanOrEqual(15);
});

test("a debt that is written while the item is converted counts by the rate that it has then", async () => {
  const [before, after] = [tokens(60, 1), tokens(60_000, 2)];
  const { one, store, clock } = racing(2, async (informed) => informed.limiter.take([after], 1));
  const taken = await one.limiter.take([before], 50);
  if (!taken.isAdmitted) throw new Error("a minute's tokens are there");
  one.limiter.correct(taken, 350);

  await one.limiter.flush();

  expect(store.items("limits").find(({ pk }) => pk !== undefined && "S" in pk && pk.S === after.itemKey)).toMatchObject({ pr: { N: "2" } });
  // 300 that were not covered are 300 ms now, and were five minutes before.
  expect((await gatewayOver(clock, store).limiter.look(after)).wholeInMs).toBeLessThan(1_000);
});

test("what was leased before a change is not given back after it", async () => {
  const { clock, store } = start();
  const [before, after] = [tokens(6_000, 1), tokens(600, 2)];
  const gateway = gatewayOver(clock, store);
  const taken = await gateway.limiter.take([before], 6_000);
  if (!taken.isAdmitted) throw new Error("the whole of a minute is there");
  expect((await gateway.limiter.take([after], 1)).isAdmitted).toBe(false);
  clock.advance(10_000); // its lease is over
  gateway.limiter.correct(taken, 0);

  await gateway.limiter.flush();

  // Of the 600 that count 100 have come back with time.
  const left = gatewayOver(clock, store);
  expect((await left.limiter.look(after)).remaining).toBe(100);
  // Where the policy did not change all of it would have come back.
});

test("debts take no longer after a change than before, and shorter where more comes back", () => {
  const [slow, fast] = [
    { intervalUs: 1_000_000, burst: 10 },
    { intervalUs: 1_000, burst: 10 },
  ];

  expect(convertedUs(15_000_000, slow, fast)).toBe(10_000 + 5_000);
  expect(convertedUs(15_000, fast, slow)).toBe(10_000_000 + 5_000);
  expect(convertedUs(3_000_000, slow, fast)).toBe(3_000);
  expect(convertedUs(0, slow, fast)).toBe(0);
});

type Seen = { readonly atMs: number; readonly revision: number };

/** The revision that the item counted by from a moment on; the first one before anybody asked. */
function revisionAt(seen: readonly Seen[], atMs: number): number {
  return seen.findLast((each) => each.atMs <= atMs)?.revision ?? 1;
}

/**
 * What may be admitted in a window, by what the item counted by: the burst in the end, what changes took off the burst on the way, and the rate of each moment.
 * Credits may be a second old.
 */
function mostIn(rates: readonly RequestRate[], seen: readonly Seen[], { fromMs, toMs }: { fromMs: number; toMs: number }): number {
  const leasedMs = fromMs - REQUEST_LEASE_LIFE_MS;
  const [first, last] = [revisionAt(seen, leasedMs - 1), revisionAt(seen, toMs)];
  const bursts = rates.slice(first - 1, last).map(({ burst }) => burst);
  const lowered = bursts.slice(1).reduce((sum, burst, index) => sum + Math.max(0, (bursts[index] ?? 0) - burst), 0);
  const times = [leasedMs, ...seen.map(({ atMs }) => atMs).filter((atMs) => atMs > leasedMs && atMs < toMs), toMs];
  const flow = times.slice(1).reduce((sum, atMs, index) => {
    const beginMs = times[index] ?? atMs;
    return sum + ((rates[revisionAt(seen, beginMs) - 1]?.requestsPerSecond ?? 0) * (atMs - beginMs)) / 1_000;
  }, 0);
  return (bursts.at(-1) ?? 0) + lowered + flow;
}

test("over changes at most the burst, what they took off it, and the rates of their times are admitted, whoever learns of them when", {
  timeout: 60_000,
}, async () => {
  const anyRate = fc.record({ requestsPerSecond: fc.constantFrom(0.5, 2, 20, 200), burst: fc.constantFrom(1, 10, 100) });
  const anyStep = fc.record({
    waitMs: fc.oneof({ weight: 4, arbitrary: fc.integer({ min: 0, max: 300 }) }, fc.integer({ min: 0, max: 5_000 })),
    asks: fc.array(fc.nat(2), { maxLength: 60 }),
    /** A new rate, and the steps after which each gateway knows it. */
    change: fc.option(fc.record({ rate: anyRate, delays: fc.tuple(fc.nat(4), fc.nat(4), fc.nat(4)) }), { freq: 3 }),
  });

  await fc.assert(
    fc.asyncProperty(anyRate, fc.array(anyStep, { minLength: 5, maxLength: 25 }), async (first, steps) => {
      const { clock, store } = start();
      const gateways = [0, 1, 2].map(() => ({ ...gatewayOver(clock, store), revision: 1 }));
      const rates = [first];
      const policies = [policyOf(first, 1)];
      const learning: { step: number; gateway: number; revision: number }[] = [];
      const [admittedAtMs, seen]: [number[], Seen[]] = [[], []];
      for (const [step, { waitMs, asks, change }] of steps.entries()) {
        clock.advance(waitMs);
        if (change !== null) {
          const revision = rates.push(change.rate);
          policies.push(policyOf(change.rate, revision));
          for (const [gateway, delay] of change.delays.entries()) learning.push({ step: step + delay, gateway, revision });
        }
        for (const each of learning) {
          const gateway = gateways[each.gateway];
          if (each.step === step && gateway !== undefined) gateway.revision = Math.max(gateway.revision, each.revision);
        }
        const ask = async (asked: number) => {
          const gateway = gateways[asked];
          const policy = policies[(gateway?.revision ?? 1) - 1];
          return gateway !== undefined && policy !== undefined && (await gateway.isAdmitted(policy));
        };
        for (const isAdmitted of await Promise.all(asks.map(ask))) if (isAdmitted) admittedAtMs.push(clock.nowMs());
        const pr = store.items("limits")[0]?.["pr"];
        if (pr !== undefined && "N" in pr) seen.push({ atMs: clock.nowMs(), revision: Number(pr.N) });
      }

      // No gateway that is late takes the item back.
      const revisions = seen.map(({ revision }) => revision);
      expect(revisions).toEqual(revisions.toSorted((a, b) => a - b));
      for (const [place, fromMs] of admittedAtMs.entries()) {
        for (const [further, toMs] of admittedAtMs.slice(place).entries()) {
          if (admittedAtMs[place + further + 1] === toMs) continue; // the last of a moment counts them all
          expect(further + 1 - mostIn(rates, seen, { fromMs, toMs })).toBeLessThanOrEqual(1e-6);
        }
      }
    }),
    { numRuns: 150, endOnFailure: true },
  );
});

test("after any changes whoever has spent everything is admitted again within a credit's time of the last rate", {
  timeout: 60_000,
}, async () => {
  const anyRate = fc.record({ requestsPerSecond: fc.constantFrom(0.1, 2, 20, 200), burst: fc.constantFrom(1, 10, 100) });

  await fc.assert(
    fc.asyncProperty(fc.array(anyRate, { minLength: 2, maxLength: 5 }), async (rates) => {
      const { clock, store } = start();
      const gateway = gatewayOver(clock, store);
      const policies = rates.map((rate, place) => policyOf(rate, place + 1));
      for (const policy of policies) await spendAll(gateway, policy);
      const last = policies.at(-1);
      if (last === undefined) throw new Error("there are two at least");

      clock.advance(1_000 / (rates.at(-1)?.requestsPerSecond ?? 1) + BELIEVED_MS);

      expect(await gateway.isAdmitted(last)).toBe(true);
    }),
    { numRuns: 100, endOnFailure: true },
  );
});
