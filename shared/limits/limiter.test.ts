import { expect, test } from "vitest";
import { stopClock } from "../../test/harness/clock.ts";
import { createMemoryLimits } from "../../test/harness/memory-limits.ts";
import { createCreditLimiter, type Taken } from "./limiter.ts";
import { type CreditPolicy, policiesOf, REQUEST_LEASE_LIFE_MS, type RequestRate, TOKEN_LEASE_LIFE_MS } from "./policy.ts";

const KEY = { id: "k" };
const rated = (rate: RequestRate) => policiesOf({ tenant: { id: "t", rate }, key: KEY }).requests;
const tokens = (tokensPerMinute: number) =>
  policiesOf({ tenant: { id: "t", rate: { requestsPerSecond: 1, burst: 1 }, limits: { tokensPerMinute } }, key: KEY }).tokens;
const daily = (requestsPerDay: number): CreditPolicy[] =>
  policiesOf({ tenant: { id: "t", rate: { requestsPerSecond: 1, burst: 1 }, limits: { requestsPerDay } }, key: KEY }).requests.slice(1);

function start({ lesseeCount = 1 } = {}) {
  const [clock, store] = [stopClock(), createMemoryLimits(lesseeCount)];
  const limiter = createCreditLimiter({ store: store.leases, clock, random: () => 0 });
  const take = async (policies: readonly CreditPolicy[], credits = 1) => limiter.take(policies, credits);
  const takeAll = (count: number, policies: readonly CreditPolicy[]) => Promise.all(Array.from({ length: count }, () => take(policies)));
  return { clock, store, limiter, take, takeAll };
}

async function admittedOf(verdicts: Promise<readonly { isAdmitted: boolean }[]>): Promise<number> {
  return (await verdicts).filter(({ isAdmitted }) => isAdmitted).length;
}

function assertTaken(verdict: Awaited<ReturnType<ReturnType<typeof start>["take"]>>): Taken {
  if (!verdict.isAdmitted) throw new Error(`refused by ${verdict.policy.name}`);
  return verdict;
}

test("a tenant that stays below its rate is never refused, and most of its requests cost no write", async () => {
  const { clock, store, take } = start();
  const policies = rated({ requestsPerSecond: 1_000, burst: 1_000 });
  let refusedCount = 0;

  for (let turn = 0; turn < 2_000; turn += 1) {
    clock.advance(2); // 500 a second
    if (!(await take(policies)).isAdmitted) refusedCount += 1;
  }

  expect(refusedCount).toBe(0);
  expect(store.callCount()).toBeLessThan(100);
});

test("credits at hand are taken without a promise", async () => {
  const { limiter, take } = start();
  const policies = rated({ requestsPerSecond: 1_000, burst: 1_000 });
  for (let turn = 0; turn < 8; turn += 1) await take(policies);

  expect(limiter.take(policies, 1)).toMatchObject({ isAdmitted: true });
});

test("a burst that arrives at once takes one lease, not one lease a request", async () => {
  const { store, takeAll } = start();

  expect(await admittedOf(takeAll(200, rated({ requestsPerSecond: 100, burst: 200 })))).toBe(200);

  expect(store.callCount()).toBeLessThanOrEqual(3);
});

test("a refused process asks the store again only when a credit can be free", async () => {
  const { clock, store, take, takeAll } = start();
  const policies = rated({ requestsPerSecond: 2, burst: 1 });
  await take(policies);

  const refusals = await takeAll(50, policies);

  expect(refusals.every(({ isAdmitted }) => !isAdmitted)).toBe(true);
  expect(store.callCount()).toBe(1); // the lease itself had said that nothing was left
  expect(refusals[0]).toEqual({ isAdmitted: false, policy: policies[0], retryAfterMs: 500 });
  clock.advance(499);
  expect((await take(policies)).isAdmitted).toBe(false);
  clock.advance(1);
  expect((await take(policies)).isAdmitted).toBe(true);
});

test("an attack costs the store little: a spent item is left alone until a worthwhile lease can be had", async () => {
  const { clock, store, takeAll } = start({ lesseeCount: 4 });
  const policies = rated({ requestsPerSecond: 1_000, burst: 1_000 });
  await takeAll(2_000, policies);
  const callsBefore = store.callCount();
  let admitted = 0;

  for (let turn = 0; turn < 1_000; turn += 1) {
    clock.advance(1);
    admitted += await admittedOf(takeAll(3, policies));
  }

  expect(admitted).toBeGreaterThan(900);
  expect((store.callCount() - callsBefore) / admitted).toBeLessThan(0.05);
});

test("credits die one lease life after they were asked for", async () => {
  const { clock, take, takeAll } = start();
  const policies = rated({ requestsPerSecond: 10, burst: 10 });
  for (let turn = 0; turn < 3; turn += 1) await take(policies); // leases of 1, 2 and more

  clock.advance(REQUEST_LEASE_LIFE_MS);

  expect(await admittedOf(takeAll(12, policies))).toBe(10);
});

test("a store that is away refuses as such when a lease is needed, and credits at hand still serve", async () => {
  const { store, take, takeAll } = start();
  const policies = rated({ requestsPerSecond: 100, burst: 100 });
  await takeAll(20, policies);
  for (let turn = 0; turn < 5; turn += 1) await take(policies);
  store.fates.push("fails", "fails", "fails");

  const verdicts = await Promise.allSettled(Array.from({ length: 70 }, () => take(policies)));

  expect(verdicts.slice(0, 10).every(({ status }) => status === "fulfilled")).toBe(true);
  expect(verdicts.at(-1)).toMatchObject({ status: "rejected", reason: new Error("the store is away") });
  store.fates.splice(0);
  expect((await take(policies)).isAdmitted).toBe(true);
});

test("what one policy refuses costs nothing of the others, and the refusal names it", async () => {
  const { store, take } = start();
  const wide = rated({ requestsPerSecond: 10, burst: 10 });
  const narrow = policiesOf({
    tenant: { id: "t", rate: { requestsPerSecond: 10, burst: 10 } },
    key: { id: "k", limits: { rate: { requestsPerSecond: 1, burst: 2 } } },
  }).requests;

  const verdicts = [];
  for (let turn = 0; turn < 6; turn += 1) verdicts.push(await take(narrow));

  expect(verdicts.map(({ isAdmitted }) => isAdmitted)).toEqual([true, true, false, false, false, false]);
  expect(verdicts[2]).toMatchObject({ policy: { name: "key-requests" }, retryAfterMs: 1_000 });
  const admitted = [];
  for (let turn = 0; turn < 10; turn += 1) admitted.push((await take(wide)).isAdmitted);
  expect(admitted.filter(Boolean)).toHaveLength(8);
  expect(store.callCount()).toBeLessThan(12);
});

test("a day's quota is exact, begins anew at midnight of UTC, and says how long that is", async () => {
  const { clock, take, takeAll } = start();
  const policies = daily(100);
  const untilMidnightMs = 86_400_000 - (clock.nowMs() % 86_400_000);
  clock.advance(untilMidnightMs - 10_000);

  expect(await admittedOf(takeAll(150, policies))).toBe(100);

  expect(await take(policies)).toMatchObject({ isAdmitted: false, retryAfterMs: 10_000 });
  clock.advance(9_999);
  expect((await take(policies)).isAdmitted).toBe(false);
  clock.advance(1);
  expect(await admittedOf(takeAll(150, policies))).toBe(100);
});

test("credits of one day are not used on the next", async () => {
  const { clock, store, take } = start();
  const policies = daily(1_000);
  clock.advance(86_400_000 - (clock.nowMs() % 86_400_000) - 5);
  for (let turn = 0; turn < 20; turn += 1) await take(policies); // some are left in the lease

  clock.advance(5);
  await take(policies);

  const level = store.levelOf(policies[0] as CreditPolicy, clock.nowMs() * 1_000);
  expect(level).toMatchObject({ kind: "day", used: expect.any(Number) });
  expect(level).not.toMatchObject({ used: 0 });
});

test("a quota that is raised helps whoever was refused, without waiting for the day's end", async () => {
  const { take } = start();
  await take(daily(1));
  expect((await take(daily(1))).isAdmitted).toBe(false);

  expect((await take(daily(5))).isAdmitted).toBe(true);
});

test("what asks for more than may ever come at once is told so, and takes nothing", async () => {
  const { store, take } = start();

  expect(await take(tokens(600), 601)).toMatchObject({ isAdmitted: false, retryAfterMs: Number.POSITIVE_INFINITY });
  expect(store.callCount()).toBe(0);
  expect((await take(tokens(600), 600)).isAdmitted).toBe(true);
});

test("tokens that were not used come back, at once while their lease lives", async () => {
  const { limiter, store, take } = start();
  const policies = tokens(600);
  const taken = assertTaken(await take(policies, 600));
  expect(await take(policies, 100)).toMatchObject({ isAdmitted: false, retryAfterMs: 10_000 });

  limiter.correct(taken, 450);

  expect((await take(policies, 100)).isAdmitted).toBe(true);
  expect((await take(policies, 50)).isAdmitted).toBe(true);
  expect((await take(policies, 1)).isAdmitted).toBe(false);
  expect(store.callCount()).toBe(1);
});

test("tokens that were not used come back through the store when their lease is over, less what time has brought already", async () => {
  const { clock, limiter, store, take } = start();
  const policies = tokens(600); // 10 a second
  const taken = assertTaken(await take(policies, 600));
  clock.advance(TOKEN_LEASE_LIFE_MS + 15_000); // 200 of the 600 are back by themselves

  limiter.correct(taken, 0);
  await limiter.flush();

  expect((await take(policies, 600)).isAdmitted).toBe(true);
  expect((await take(policies, 1)).isAdmitted).toBe(false);
  expect(store.callCount()).toBe(3);
});

test("tokens beyond the estimate are owed, and those who come later wait for them", async () => {
  const { clock, limiter, take } = start();
  const policies = tokens(600);
  const taken = assertTaken(await take(policies, 100));

  limiter.correct(taken, 900);
  await limiter.flush();

  clock.advance(30_000); // 900 − 300 = 600 are still owed
  expect((await take(policies, 1)).isAdmitted).toBe(false);
  clock.advance(1_000);
  expect((await take(policies, 1)).isAdmitted).toBe(true);
});

test("a debt that the store could not take is kept, a refund that it may have taken is forgotten", async () => {
  const { clock, limiter, store, take } = start();
  const policies = tokens(600);
  const policy = policies[0] as CreditPolicy;
  const refunded = assertTaken(await take(policies, 300));
  clock.advance(TOKEN_LEASE_LIFE_MS);
  const owing = assertTaken(await take(policies, 10));
  limiter.correct(refunded, 0);
  limiter.correct(owing, 110);
  store.fates.push("fails");
  const levelNow = () => store.levelOf(policy, clock.nowMs() * 1_000);
  const before = levelNow();

  await limiter.flush();
  expect(levelNow()).toEqual(before);
  await limiter.flush();
  await limiter.flush();

  expect(levelNow()).toMatchObject({ tatUs: (before as { tatUs: number }).tatUs + 85 * 100_000, backUs: 0 }); // 15 of the 100 were at hand
});

test("the standing is what is held and what the item has left", async () => {
  const { clock, limiter, take } = start();
  const policies = rated({ requestsPerSecond: 10, burst: 10 });
  for (let turn = 0; turn < 4; turn += 1) await take(policies);

  expect(limiter.standing(policies[0] as CreditPolicy).remaining).toBe(6);

  clock.advance(2_000);
  expect(await limiter.look(policies[0] as CreditPolicy)).toEqual({ remaining: 10, wholeInMs: 0 });
});
