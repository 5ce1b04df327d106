import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { stopClock } from "../../test/harness/clock.ts";
import { startDynamo, type TestDynamo } from "../../test/harness/dynamo.ts";
import type { Clock } from "../base/clock.ts";
import { createLeanDynamo, type LeanDynamo } from "../dynamo/lean-client.ts";
import { createLeaseStore } from "./lease-store.dynamo.ts";
import { itemKeyAt, wholeLevel } from "./level.ts";
import { createCreditLimiter, type LeaseStore } from "./limiter.ts";
import { type CreditPolicy, policiesOf } from "./policy.ts";

let store: TestDynamo;
let lean: LeanDynamo;
beforeAll(async () => {
  store = await startDynamo();
  lean = createLeanDynamo(store.dynamo.settings, stopClock());
});
afterAll(async () => {
  await lean.close();
  await store.close();
});

const leaseStoreOf = (lessee: string) => createLeaseStore({ lean, tablePrefix: "weir", lessee });
const limiterOf = (lessee: string, clock: Clock) => createCreditLimiter({ store: leaseStoreOf(lessee), clock, random: () => 0 });

/** Of a tenant of its own, so that tests do not meet. */
function newPolicies(rate = { requestsPerSecond: 100, burst: 100 }) {
  const limits = { requestsPerDay: 100, tokensPerMinute: 600 };
  const { requests, tokens } = policiesOf({ tenant: { id: `t-${randomUUID()}`, rate, limits }, key: { id: "k" } });
  const [perSecond, perDay] = requests;
  const [perMinute] = tokens;
  if (perSecond === undefined || perDay === undefined || perMinute === undefined) throw new Error("three policies were asked for");
  return { perSecond, perDay, perMinute };
}

const NOON_US = Date.UTC(2026, 10, 26, 12) * 1_000;
const askFor = (policy: CreditPolicy, want: number, nowUs: number) => ({ policy, need: 1, want, nowUs, level: wholeLevel(policy) });

async function itemOf(policy: CreditPolicy, nowUs = NOON_US) {
  const input = { TableName: "weir-limits", Key: { pk: { S: itemKeyAt(policy, nowUs) } } };
  return (await lean.call<{ Item?: Record<string, { N?: string; SS?: string[] }> }>("GetItem", input, 1_000)).Item ?? {};
}

test("two processes on one real store share a burst exactly", async () => {
  const clock = stopClock();
  const { perSecond } = newPolicies({ requestsPerSecond: 20, burst: 30 });
  const limiters = [limiterOf("a", clock), limiterOf("b", clock)];
  const admittedOf = async (count: number) => {
    const verdicts = await Promise.all(Array.from({ length: count }, (_, index) => limiters[index % 2]?.take([perSecond], 1)));
    return verdicts.filter((verdict) => verdict?.isAdmitted).length;
  };

  expect(await admittedOf(60)).toBe(30);
  clock.advance(1_000);
  expect(await admittedOf(40)).toBe(20);
});

test("a lease advances a policy's time, restarts one that rested, and takes what is left of one that is short", async () => {
  const { perSecond } = newPolicies();
  const leases = leaseStoreOf("a");

  const first = await leases.lease(askFor(perSecond, 10, NOON_US));
  const second = await leases.lease(askFor(perSecond, 85, NOON_US + 50_000));
  const third = await leases.lease(askFor(perSecond, 85, NOON_US + 50_000));
  const spent = await leases.lease(askFor(perSecond, 10, NOON_US + 50_000));
  const rested = await leases.lease(askFor(perSecond, 10, NOON_US + 60_000_000));

  expect([first, second, third, spent, rested].map(({ granted }) => granted)).toEqual([10, 85, 10, 0, 10]);
  const terms = { gcra: { intervalUs: 10_000, burst: 100 }, revision: 0 };
  expect(first.level).toEqual({ kind: "rate", tatUs: NOON_US + 100_000, backUs: 0, writtenAtUs: NOON_US, terms });
  expect(second.level).toMatchObject({ tatUs: NOON_US + 950_000 });
  expect(rested.level).toMatchObject({ tatUs: NOON_US + 60_100_000 });
});

test("less than what is needed is not taken", async () => {
  const { perSecond } = newPolicies();
  const leases = leaseStoreOf("a");
  await leases.lease(askFor(perSecond, 95, NOON_US));

  const refused = await leases.lease({ ...askFor(perSecond, 10, NOON_US), need: 6 });
  const partly = await leases.lease({ ...askFor(perSecond, 10, NOON_US), need: 5 });

  expect([refused.granted, partly.granted]).toEqual([0, 5]);
});

test("a day's item counts up to its quota, the next day has its own, and both are tidied away when nobody asks for them any more", async () => {
  const { perDay } = newPolicies();
  const leases = leaseStoreOf("a");
  const midnightUs = Date.UTC(2026, 10, 27) * 1_000;

  const first = await leases.lease(askFor(perDay, 70, NOON_US));
  const rest = await leases.lease({ ...askFor(perDay, 70, NOON_US), level: first.level });
  const none = await leases.lease(askFor(perDay, 1, midnightUs - 1));
  const next = await leases.lease(askFor(perDay, 60, midnightUs));
  const behind = await leases.lease(askFor(perDay, 60, midnightUs - 1));

  expect([first, rest, none, next, behind].map(({ granted }) => granted)).toEqual([70, 30, 0, 60, 0]);
  expect(await itemOf(perDay)).toMatchObject({ used: { N: "100" }, ttl: { N: String(Date.UTC(2026, 10, 29) / 1_000) } });
  expect(await itemOf(perDay, midnightUs)).toMatchObject({ used: { N: "60" }, ttl: { N: String(Date.UTC(2026, 10, 30) / 1_000) } });
});

test("a correction gives back what time has not, and charges what was used beyond", async () => {
  const { perMinute } = newPolicies(); // 10 tokens a second: 100 ms each
  const leases = leaseStoreOf("a");
  const { level } = await leases.lease({ ...askFor(perMinute, 600, NOON_US), need: 600 });
  const refund = { credits: 600, level };

  await leases.correct({ policy: perMinute, debt: 20, refunds: [refund], nowUs: NOON_US + 50_000_000 });

  // Of the 60 s that were charged 50 are over: 10 come back, and 2 are added.
  expect(await leases.look(perMinute, NOON_US + 50_000_000)).toMatchObject({ tatUs: NOON_US + 52_000_000, backUs: 10_000_000 });
  await leases.correct({ policy: perMinute, debt: 0, refunds: [refund], nowUs: NOON_US + 51_000_000 });
  expect(await leases.look(perMinute, NOON_US + 50_000_000)).toMatchObject({ tatUs: NOON_US + 52_000_000 }); // what came back once moved the lease's end with it
  await leases.correct({ policy: perMinute, debt: 5, refunds: [], nowUs: NOON_US + 80_000_000 });
  expect(await leases.look(perMinute, NOON_US + 50_000_000)).toMatchObject({ tatUs: NOON_US + 80_500_000 }); // a policy that rested owes from now on
});

test("credits of a day that nobody used come back on that day, and not on another", async () => {
  const { perDay } = newPolicies();
  const leases = leaseStoreOf("a");
  const { level } = await leases.lease(askFor(perDay, 70, NOON_US));
  const giveBack = (nowUs: number) => leases.correct({ policy: perDay, debt: 0, refunds: [{ credits: 20, level }], nowUs });

  await giveBack(NOON_US + 60_000_000);
  expect(await leases.look(perDay, NOON_US)).toMatchObject({ used: 50 });
  const nextDayUs = NOON_US + 86_400_000_000;
  await leases.lease(askFor(perDay, 70, nextDayUs));
  await giveBack(nextDayUs);

  expect(await leases.look(perDay, nextDayUs)).toMatchObject({ used: 70 });
});

test("corrections of several processes at once are all applied", async () => {
  const { perMinute } = newPolicies();
  const stores = ["a", "b", "c"].map(leaseStoreOf);
  const { level } = await (stores[0] as LeaseStore).lease({ ...askFor(perMinute, 300, NOON_US), need: 300 });

  const areDone = await Promise.all(stores.map((each) => each.correct({ policy: perMinute, debt: 10, refunds: [], nowUs: NOON_US })));

  expect(areDone).toEqual([true, true, true]);
  expect(await leaseStoreOf("d").look(perMinute, NOON_US)).toMatchObject({ tatUs: (level as { tatUs: number }).tatUs + 3_000_000 });
});

test("who leased in this window or the last one is counted, and nobody who came earlier", async () => {
  const { perSecond } = newPolicies();
  const leaseBy = async (lessee: string, window: number) =>
    (await leaseStoreOf(lessee).lease(askFor(perSecond, 1, NOON_US + window * 10_000_000))).lesseeCount;

  expect(await leaseBy("a", 0)).toBe(1);
  expect(await leaseBy("b", 0)).toBe(2);
  expect(await leaseBy("a", 1)).toBe(2);
  expect(await leaseBy("c", 2)).toBe(2);
  expect(await leaseBy("c", 5)).toBe(1);
});

test("a tenant that comes by now and then does not collect every process that ever served it", async () => {
  const { perSecond } = newPolicies();

  // Every third window, so that each lease finds the set of three windows ago.
  for (let turn = 0; turn < 20; turn += 1)
    await leaseStoreOf(`process-${turn}`).lease(askFor(perSecond, 1, NOON_US + turn * 3 * 10_000_000));

  const sets = Object.values((await itemOf(perSecond)) ?? {}).flatMap((value) => ("SS" in value ? (value.SS ?? []) : []));
  expect(sets).toHaveLength(1);
});
