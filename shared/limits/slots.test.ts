import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { stopClock } from "../../test/harness/clock.ts";
import { startDynamo, type TestDynamo } from "../../test/harness/dynamo.ts";
import { slotPolicies } from "../../test/harness/slot-crowd.ts";
import { createSlotWorld } from "../../test/harness/slot-world.ts";
import { createLeanDynamo, type LeanDynamo } from "../dynamo/lean-client.ts";
import { policiesOf, type SlotPolicy } from "./policy.ts";
import { SLOT_GRACE_MS, SLOT_LIFE_MS } from "./slot-entries.ts";
import { createSlotStore } from "./slot-store.dynamo.ts";
import { createSlotLimiter, type HeldSlots, type SlotLimiter } from "./slots.ts";

let dynamo: TestDynamo;
let lean: LeanDynamo;
beforeAll(async () => {
  dynamo = await startDynamo();
  lean = createLeanDynamo(dynamo.dynamo.settings, stopClock());
});
afterAll(async () => {
  await lean.close();
  await dynamo.close();
});

function start(holders = ["a"]) {
  const world = createSlotWorld();
  const limiters = holders.map((holder) => world.start(holder).limiter);
  return { ...world, limiters, limiter: limiters[0] as SlotLimiter };
}

async function take(limiter: SlotLimiter, policies: readonly SlotPolicy[]): Promise<HeldSlots> {
  const held = await limiter.take(policies);
  if (!held.isAdmitted) throw new Error(`refused by ${held.policy.name}`);
  return held;
}

test("as many run as the limit says, the next one is refused by name, and a slot that is given back serves again", async () => {
  const { pass, limiter } = start();
  const policies = slotPolicies(2);
  const first = await take(limiter, policies);
  await take(limiter, policies);

  expect(await limiter.take(policies)).toMatchObject({ isAdmitted: false, policy: { name: "concurrency" } });
  expect(limiter.remaining(policies[0] as SlotPolicy)).toBe(0);
  limiter.release(first);
  limiter.release(first); // the second time changes nothing
  await pass(100);
  await take(limiter, policies);
  expect((await limiter.take(policies)).isAdmitted).toBe(false);
});

test("the slots of a small limit go back at once, so that another process can have them", async () => {
  const { pass, limiters } = start(["a", "b"]);
  const [a, b] = limiters as [SlotLimiter, SlotLimiter];
  const policies = slotPolicies(1);
  const held = await take(a, policies);
  expect((await b.take(policies)).isAdmitted).toBe(false);

  a.release(held);
  await pass(50);

  await take(b, policies);
});

test("a large limit costs a write now and then, not two a request", async () => {
  const { pass, calls, limiter } = start();
  const policies = slotPolicies(100);

  for (let count = 0; count < 1_000; count += 1) {
    const held = await Promise.all(Array.from({ length: 10 }, () => take(limiter, policies)));
    for (const each of held) limiter.release(each);
    await pass(1);
  }

  expect(calls.length).toBeLessThan(10);
});

test("where little is held, a request that ends leaves its slot to the next one here, which asks the store nothing; what nobody takes goes back soon", async () => {
  const { pass, calls, entriesOf, limiters } = start(["other", "a"]);
  const [other, a] = limiters as [SlotLimiter, SlotLimiter];
  const policies = slotPolicies(8);
  await take(other, policies);
  const before = calls.length;
  for (let count = 0; count < 10; count += 1) {
    a.release(await take(a, policies));
    await pass(20);
  }
  expect(calls.slice(before)).toEqual(["GetItem", "UpdateItem"]);

  await pass(50);
  await pass(50);

  expect(entriesOf(policies[0] as SlotPolicy)).toMatchObject([{ holder: "other" }]);
});

test("where more than a quarter is held, each slot goes back at once", async () => {
  const { pass, limiters } = start(["a", "b"]);
  const [a, b] = limiters as [SlotLimiter, SlotLimiter];
  const policies = slotPolicies(8);
  const held: HeldSlots[] = [];
  for (let count = 0; count < 8; count += 1) held.push(await take(a, policies));

  for (const each of held) a.release(each);
  await pass(0);

  const taken = await Promise.all(Array.from({ length: 8 }, () => b.take(policies)));
  expect(taken.filter(({ isAdmitted }) => isAdmitted).length).toBeGreaterThanOrEqual(6); // a quarter at most lies idle
});

test("what one holder writes does not make another's next write fail: one call each, whatever others do", async () => {
  const { calls, limiters } = start(["a", "b", "c"]);
  const policies = slotPolicies(7);
  for (const limiter of limiters) await take(limiter, policies);
  const before = calls.length;

  await Promise.all(limiters.map((limiter) => take(limiter, policies)));

  expect(calls.slice(before)).toEqual(["UpdateItem", "UpdateItem", "UpdateItem"]);
});

test("who is refused has written nothing, and asks once", async () => {
  const { store, calls, limiters } = start(["a", "b"]);
  const [a, b] = limiters as [SlotLimiter, SlotLimiter];
  const policies = slotPolicies(1);
  await take(a, policies);
  const [before, asked] = [store.items("limits"), calls.length];

  const refused = await Promise.all(Array.from({ length: 10 }, () => b.take(policies)));

  expect(refused.map((each) => !each.isAdmitted && each.retryAfterMs)).toEqual(new Array(10).fill(50));
  expect(calls.slice(asked)).toEqual(["GetItem"]);
  expect(store.items("limits")).toEqual(before);
});

test("a slot whose taking was not acknowledged comes back with the next renewal, and not with the end of its life", async () => {
  const { entriesOf, fates, limiter } = start();
  const policies = slotPolicies(1);
  fates.push("works", "lost");
  await expect(take(limiter, policies)).rejects.toMatchObject({ code: "unavailable" });
  expect(entriesOf(policies[0] as SlotPolicy)).toHaveLength(1);

  await limiter.renew();

  expect(entriesOf(policies[0] as SlotPolicy)).toEqual([]);
});

test("a return that arrives after it was given up takes nothing from the request that has begun since, be it in the same millisecond", async () => {
  const { pass, deliver, entriesOf, fates, limiter } = start();
  const policies = slotPolicies(1);
  const held = await take(limiter, policies);
  fates.push("strays");
  limiter.release(held);
  await pass(0);
  await take(limiter, policies);

  deliver();
  await pass(0);

  expect(entriesOf(policies[0] as SlotPolicy)).toMatchObject([{ slots: 1 }]);
});

test("what a version of another form has left of a policy locks nobody out", async () => {
  const { store, limiter } = start();
  const policies = slotPolicies(2);
  const old = { pk: { S: "t#concurrency" }, v: { N: "7" }, h: { SS: ["dead:2:99999999999999"] } };
  store.apply("PutItem", { TableName: "weir-limits", Item: old }, { nowMs: 0, lagMs: 0 });

  await take(limiter, policies);
  await take(limiter, policies);

  expect((await limiter.take(policies)).isAdmitted).toBe(false);
});

test("a process that was killed loses its slots after a life and its grace, and not before", async () => {
  const { clock, limiters } = start(["killed", "b"]);
  const [killed, b] = limiters as [SlotLimiter, SlotLimiter];
  const policies = slotPolicies(1);
  await take(killed, policies);

  clock.advance(SLOT_LIFE_MS + SLOT_GRACE_MS - 1);
  expect((await b.take(policies)).isAdmitted).toBe(false);
  clock.advance(100);

  await take(b, policies);
});

test("what runs long is renewed, and a process that rests gives back what it kept", async () => {
  const { clock, entriesOf, limiters } = start(["a", "b"]);
  const [a, b] = limiters as [SlotLimiter, SlotLimiter];
  const policies = slotPolicies(1);
  const held = await take(a, policies);

  for (let count = 0; count < 20; count += 1) {
    clock.advance(5_000);
    await a.renew();
  }
  expect((await b.take(policies)).isAdmitted).toBe(false);
  a.release(held);
  await a.renew();

  expect(entriesOf(policies[0] as SlotPolicy)).toEqual([]);
});

test("a process that was paused beyond its lease says what it still runs, and gets no more until there is room", async () => {
  const { clock, pass, totalOf, limiters } = start(["paused", "b"]);
  const [paused, b] = limiters as [SlotLimiter, SlotLimiter];
  const policies = slotPolicies(2);
  const held = [await take(paused, policies), await take(paused, policies)];
  clock.advance(SLOT_LIFE_MS + SLOT_GRACE_MS);
  const others = [await take(b, policies), await take(b, policies)];

  expect((await paused.take(policies)).isAdmitted).toBe(false);

  expect(totalOf(policies[0] as SlotPolicy)).toBe(4); // the limit and what the paused one still runs
  for (const each of others) b.release(each);
  await pass(100);
  expect((await b.take(policies)).isAdmitted).toBe(false);
  for (const each of held) paused.release(each);
  await pass(100);
  await take(b, policies);
});

test("a store that is away refuses whoever needs it, and what is held serves until its life is over", async () => {
  const { clock, fates, limiter } = start();
  const policies = slotPolicies(16);
  const held = await take(limiter, policies);
  await take(limiter, policies); // with two more to keep
  const away = () => fates.push("fails", "fails", "fails");

  away();
  await take(limiter, policies);
  await take(limiter, policies);
  await expect(take(limiter, policies)).rejects.toMatchObject({ code: "unavailable" });
  clock.advance(SLOT_LIFE_MS);
  limiter.release(held);
  await expect(take(limiter, policies)).rejects.toMatchObject({ code: "unavailable" });
  fates.splice(0);

  await take(limiter, policies);
});

test("a refusal by the second policy gives the first one's slot back", async () => {
  const { pass, limiter } = start();
  const rate = { requestsPerSecond: 1, burst: 1 };
  const both = policiesOf({
    tenant: { id: "t", rate, limits: { concurrentRequests: 2 } },
    key: { id: "k", limits: { concurrentRequests: 1 } },
  }).slots;
  await take(limiter, both);

  expect(await limiter.take(both)).toMatchObject({ isAdmitted: false, policy: { name: "key-concurrency" } });

  await pass(0);
  await take(limiter, both.slice(0, 1));
});

test("four processes on one real store never hold more than the limit, and nothing is left when they are done", async () => {
  const clock = stopClock();
  const policies = slotPolicies(10, `t-${randomUUID()}`);
  const limiters = ["a", "b", "c", "d"].map((holder) =>
    createSlotLimiter({ store: createSlotStore({ lean, tablePrefix: "weir", holder }), clock, random: () => 0, later: () => {} }),
  );

  const taken = await Promise.all(Array.from({ length: 60 }, (_, index) => (limiters[index % 4] as SlotLimiter).take(policies)));

  const held = taken
    .map((verdict, index) => ({ verdict, limiter: limiters[index % 4] as SlotLimiter }))
    .filter(({ verdict }) => verdict.isAdmitted);
  expect(held.length).toBeLessThanOrEqual(10);
  expect(held.length).toBeGreaterThanOrEqual(8);
  for (const { verdict, limiter } of held) limiter.release(verdict as HeldSlots);
  await Promise.all(limiters.map((limiter) => limiter.renew()));
  expect(await (limiters[0] as SlotLimiter).look(policies[0] as SlotPolicy)).toBe(10);
});
