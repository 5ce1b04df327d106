import fc from "fast-check";
import { expect, test } from "vitest";
import { type StoppedClock, stopClock } from "../../test/harness/clock.ts";
import { createFakeDynamo } from "../../test/harness/fake-dynamo/fake-dynamo.ts";
import { leanOver } from "../../test/harness/fake-dynamo/lean.ts";
import { clockSkewOf, type LeanDynamo } from "../dynamo/lean-client.ts";
import { CLOCK_SKEW_MS_MAX, CLOCKS_APART_MS_MAX } from "../dynamo/sound-clock.ts";
import { createLeaseStore } from "./lease-store.dynamo.ts";
import { believed, type Level } from "./level.ts";
import { createCreditLimiter } from "./limiter.ts";
import { type CreditPolicy, policiesOf, type RequestRate } from "./policy.ts";
import { SLOT_GRACE_MS, SLOT_LIFE_MS } from "./slot-entries.ts";
import { createSlotStore } from "./slot-store.dynamo.ts";

const HOUR_MS = 3_600_000;
/** An item that had nothing left is believed for so long. */
const BELIEVED_MS = 1_000;

/** Gateways over one store, each with a clock of its own; the store's is the true one, and tells it with every answer. */
function start() {
  const [clock, store] = [stopClock(), createFakeDynamo({ tablePrefix: "weir" })];
  return { clock, store, gateway: (aheadMs: number) => startGateway(clock, leanOver(store), aheadMs) };
}

let count = 0;
function startGateway(clock: StoppedClock, over: LeanDynamo, aheadMs: number) {
  const state = { aheadMs, seenMs: 0 };
  const own = { nowMs: () => clock.nowMs() + state.aheadMs };
  const lean: LeanDynamo = {
    ...over,
    clockSkewMs: () => state.seenMs,
    async call(...asked) {
      const answer = over.call(...asked);
      state.seenMs = clockSkewOf(new Date(clock.nowMs()).toUTCString(), own.nowMs()) ?? 0;
      return answer as never; // the same answer of the same call
    },
  };
  count += 1;
  const leases = createLeaseStore({ lean, tablePrefix: "weir", lessee: `gateway-${count}` });
  const slots = createSlotStore({ lean, tablePrefix: "weir", holder: `gateway-${count}` });
  const limiter = createCreditLimiter({ store: leases, clock: own, random: () => 0.5 });
  const isAdmitted = async (policy: CreditPolicy) => {
    try {
      return (await limiter.take([policy], 1)).isAdmitted;
    } catch {
      return false; // its clock is off, and it knows
    }
  };
  return { limiter, slots, own, isAdmitted, setAhead: (ms: number) => (state.aheadMs = ms) };
}

function policyOf(rate: RequestRate, requestsPerDay = 1_000_000) {
  const limits = { requestsPerDay, concurrentRequests: 4 };
  const { requests, slots } = policiesOf({ tenant: { id: "t", rate, limits }, key: { id: "k" } });
  const [[perSecond, perDay], [slot]] = [requests, slots];
  if (perSecond === undefined || perDay === undefined || slot === undefined) throw new Error("three policies were asked for");
  return { perSecond, perDay, slot };
}

/** By how much the fullest window goes beyond its bound, over all windows between two admissions. */
function worstExcess(admittedAtMs: readonly number[], mostIn: (windowMs: number) => number): number {
  const excessOf = (fromMs: number, first: number) => admittedAtMs.slice(first).map((atMs, index) => index + 1 - mostIn(atMs - fromMs));
  return Math.max(0, ...admittedAtMs.map((fromMs, first) => Math.max(...excessOf(fromMs, first))));
}

/** The store's header of whole seconds makes a clock look up to a second further ahead than it is. */
const soundWithin = (ms: number) => fc.integer({ min: -ms, max: ms - 1_000 });
const anyOff = fc.oneof(fc.integer({ min: 32_000, max: 2 * HOUR_MS }), fc.integer({ min: -2 * HOUR_MS, max: -32_000 }));
const stepsWithin = (ms: number) => {
  /** A clock that jumps. */
  const anyJump = fc.record({ gateway: fc.nat(3), toMs: fc.oneof(soundWithin(ms), anyOff) });
  const anyWait = fc.oneof({ weight: 4, arbitrary: fc.integer({ min: 0, max: 300 }) }, fc.integer({ min: 0, max: 90_000 }));
  const anyStep = fc.record({ waitMs: anyWait, asks: fc.array(fc.nat(3), { maxLength: 60 }), jump: fc.option(anyJump) });
  return fc.array(anyStep, { minLength: 3, maxLength: 20 });
};
const clocksWithin = (ms: number) => fc.array(fc.oneof(soundWithin(ms), anyOff), { minLength: 4, maxLength: 4 });
const anyRate = fc.record({ requestsPerSecond: fc.integer({ min: 1, max: 10 }), burst: fc.integer({ min: 1, max: 60 }) });

type World = { readonly rate: RequestRate; readonly clocks: readonly number[]; readonly steps: readonly Step[] };
type Step = {
  readonly waitMs: number;
  readonly asks: readonly number[];
  readonly jump: { readonly gateway: number; readonly toMs: number } | null;
};

async function run({ rate, clocks, steps }: World) {
  const world = start();
  const { perSecond: policy } = policyOf(rate);
  const gateways = clocks.map(world.gateway);
  const admittedAtMs: number[] = [];
  for (const { waitMs, asks, jump } of steps) {
    world.clock.advance(waitMs);
    if (jump !== null) gateways[jump.gateway]?.setAhead(jump.toMs);
    for (const asked of asks) if (await gateways[asked]?.isAdmitted(policy)) admittedAtMs.push(world.clock.nowMs());
  }
  return { ...world, policy, admittedAtMs };
}

test("clocks that are an hour off, jump and come back admit nothing beyond the bound of those that are right", {
  timeout: 60_000,
}, async () => {
  const soundMs = 1_500;
  const worlds = fc.record({ rate: anyRate, clocks: clocksWithin(soundMs), steps: stepsWithin(soundMs) });

  await fc.assert(
    fc.asyncProperty(worlds, async (world) => {
      const { policy, admittedAtMs } = await run(world);

      const { requestsPerSecond, burst } = world.rate;
      const slackMs = policy.leaseLifeMs + 2 * soundMs;
      expect(worstExcess(admittedAtMs, (windowMs) => burst + (requestsPerSecond * (windowMs + slackMs)) / 1_000)).toBeLessThanOrEqual(1e-6);
    }),
    { numRuns: 200, endOnFailure: true },
  );
});

test("whatever they have written, a gateway whose clock is sound is locked out for no longer than clocks may be apart", {
  timeout: 60_000,
}, async () => {
  const worlds = fc.record({ rate: anyRate, clocks: clocksWithin(CLOCK_SKEW_MS_MAX), steps: stepsWithin(CLOCK_SKEW_MS_MAX) });

  await fc.assert(
    fc.asyncProperty(worlds, soundWithin(CLOCK_SKEW_MS_MAX), async (world, aheadMs) => {
      const { clock, gateway, policy } = await run(world);
      const honest = gateway(aheadMs);
      const longestMs = CLOCKS_APART_MS_MAX + 1_000 / world.rate.requestsPerSecond + BELIEVED_MS;

      const fromMs = clock.nowMs();
      while (!(await honest.isAdmitted(policy))) {
        clock.advance(500);
        expect(clock.nowMs() - fromMs).toBeLessThanOrEqual(longestMs + 500);
      }
    }),
    { numRuns: 150, endOnFailure: true },
  );
});

test("what a clock an hour ahead has written is put right by the next one: all is taken to be spent, and comes back at its rate", async () => {
  const { clock, store, gateway } = start();
  const { perSecond: policy } = policyOf({ requestsPerSecond: 10, burst: 20 });
  const [ahead, honest] = [gateway(HOUR_MS), gateway(0)];

  await expect(ahead.limiter.take([policy], 1)).rejects.toMatchObject({
    code: "unavailable",
    message: expect.stringMatching(/360[01] s off/),
  });
  expect(await honest.isAdmitted(policy)).toBe(false);
  clock.advance(1_000);
  const admitted = await Promise.all(Array.from({ length: 15 }, () => honest.isAdmitted(policy)));

  expect(admitted.filter(Boolean)).toHaveLength(10);
  const tat = store.items("limits")[0]?.["tat"];
  expect(tat !== undefined && "N" in tat && Number(tat.N)).toBeLessThan((clock.nowMs() + 2_001) * 1_000);
});

test("a gateway that knows its clock to be off writes nothing, and leases again when the clock is right", async () => {
  const { clock, store, gateway } = start();
  const { perSecond: policy, perDay } = policyOf({ requestsPerSecond: 10, burst: 20 });
  const late = gateway(-HOUR_MS);
  await expect(late.limiter.look(policy)).rejects.toMatchObject({ code: "unavailable" });

  await expect(late.limiter.take([policy, perDay], 1)).rejects.toMatchObject({ code: "unavailable" });
  expect(store.journal).toEqual([]);
  late.setAhead(0);
  clock.advance(BELIEVED_MS);

  expect(await late.isAdmitted(policy)).toBe(true);
});

test("a debt outlives what is put right, as large as whoever wrote it saw it", () => {
  const { perSecond: policy } = policyOf({ requestsPerSecond: 10, burst: 20 });
  const nowUs = Date.UTC(2026, 10, 26) * 1_000;
  const writtenAtUs = nowUs + HOUR_MS * 1_000;
  const owing: Level = { kind: "rate", tatUs: writtenAtUs + 300_000_000, backUs: 7, writtenAtUs };

  expect(believed(policy, owing, nowUs)).toEqual({ kind: "rate", tatUs: nowUs + 300_000_000, backUs: 7, writtenAtUs: nowUs });
  expect(believed(policy, owing, writtenAtUs - CLOCKS_APART_MS_MAX * 1_000)).toBe(owing);
});

test("credits and verdicts from before a clock was set back are worth nothing", async () => {
  const { gateway } = start();
  const { perSecond: policy } = policyOf({ requestsPerSecond: 100, burst: 20 });
  const one = gateway(20_000);
  expect(await one.isAdmitted(policy)).toBe(true); // with more at hand
  one.setAhead(-10_000);

  // Those were leased half a minute ahead, so that the item has room again only when that is over: nothing is left of what was at hand.
  expect(await one.isAdmitted(policy)).toBe(false);
});

test("a clock that believes in tomorrow spends nothing of today", async () => {
  const { clock, gateway } = start();
  const { perDay } = policyOf({ requestsPerSecond: 1, burst: 1 }, 50);
  const [ahead, honest] = [gateway(24 * HOUR_MS), gateway(0)];
  expect(await ahead.isAdmitted(perDay)).toBe(false);
  clock.advance(1_000);

  let admittedCount = 0;
  for (let turn = 0; turn < 60; turn += 1) if (await honest.isAdmitted(perDay)) admittedCount += 1;

  expect(admittedCount).toBe(50);
});

test("a gateway whose clock is off neither holds slots nor takes others' for lapsed", async () => {
  const { store, gateway } = start();
  const { slot: policy } = policyOf({ requestsPerSecond: 1, burst: 1 });
  const [ahead, honest] = [gateway(HOUR_MS), gateway(0)];
  await honest.slots.hold({ policy, atLeast: 4, need: 4, want: 4, clock: honest.own });
  const before = store.items("limits");

  await expect(ahead.slots.hold({ policy, atLeast: 0, need: 4, want: 4, clock: ahead.own })).rejects.toMatchObject({ code: "unavailable" });

  expect(store.items("limits")).toEqual(before);
});

test("slots that were held by a clock which has jumped ahead come back as if they had been taken when they were first seen", async () => {
  const { clock, gateway } = start();
  const { slot: policy } = policyOf({ requestsPerSecond: 1, burst: 1 });
  const [off, honest] = [gateway(28_000), gateway(0)];
  const { view } = await off.slots.hold({ policy, atLeast: 0, need: 4, want: 4, clock: off.own });
  off.setAhead(42_000); // by less than a life, so that it sees it only by the store's answer
  await expect(off.slots.hold({ policy, view, atLeast: 4, need: 4, want: 4, clock: off.own })).rejects.toMatchObject({
    code: "unavailable",
  });
  const ask = async () => (await honest.slots.hold({ policy, atLeast: 0, need: 4, want: 4, clock: honest.own })).granted;

  expect(await ask()).toBe(0);
  clock.advance(SLOT_LIFE_MS + 2 * SLOT_GRACE_MS - 1);
  expect(await ask()).toBe(0);
  clock.advance(1);

  expect(await ask()).toBe(4);
});

test("a clock that has jumped by more than a life is compared before it writes", async () => {
  const { store, gateway } = start();
  const { slot: policy } = policyOf({ requestsPerSecond: 1, burst: 1 });
  const one = gateway(0);
  const { view } = await one.slots.hold({ policy, atLeast: 0, need: 4, want: 4, clock: one.own });
  const before = store.items("limits");

  for (const aheadMs of [HOUR_MS, -HOUR_MS]) {
    one.setAhead(aheadMs);
    await expect(one.slots.hold({ policy, view, atLeast: 4, need: 4, want: 4, clock: one.own })).rejects.toMatchObject({
      code: "unavailable",
    });
    one.setAhead(0);
    await one.slots.free(policy, one.own.nowMs()); // its clock is right again, and it knows
  }

  expect(store.items("limits")).toEqual(before);
});

test("a correction does not make its own what a clock an hour ahead has written in between", async () => {
  const { clock, store, gateway } = start();
  const { perSecond: policy } = policyOf({ requestsPerSecond: 10, burst: 20 });
  const ahead = gateway(HOUR_MS);
  let isFirst = true;
  const between = leanOver(store, {
    before: async (operation) => {
      if (operation !== "UpdateItem" || !isFirst) return;
      isFirst = false;
      await ahead.isAdmitted(policy);
    },
  });
  const honest = createLeaseStore({ lean: between, tablePrefix: "weir", lessee: "honest" });
  await gateway(0).isAdmitted(policy);

  await honest.correct({ policy, debt: 10, refunds: [], nowUs: clock.nowMs() * 1_000 });

  clock.advance(CLOCKS_APART_MS_MAX);
  expect(await gateway(0).isAdmitted(policy)).toBe(true);
});
