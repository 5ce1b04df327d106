import { randomUUID } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { stopClock } from "../../test/harness/clock.ts";
import { startDynamo, type TestDynamo } from "../../test/harness/dynamo.ts";
import { createMemoryLimits } from "../../test/harness/memory-limits.ts";
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

function slotsOf(concurrentRequests: number, id = "t"): SlotPolicy[] {
  const rate = { requestsPerSecond: 1, burst: 1 };
  return [...policiesOf({ tenant: { id, rate, limits: { concurrentRequests } }, key: { id: "k" } }).slots];
}

function start(holders = ["a"]) {
  const [clock, memory] = [stopClock(), createMemoryLimits()];
  const limiters = holders.map((holder) => createSlotLimiter({ store: memory.slotsOf(holder), clock, random: () => 0 }));
  return { clock, memory, limiters, limiter: limiters[0] as SlotLimiter };
}

/** Lets what happens in the background happen. */
async function settle() {
  for (let count = 0; count < 5; count += 1) await turn();
}

async function take(limiter: SlotLimiter, policies: readonly SlotPolicy[]): Promise<HeldSlots> {
  const held = await limiter.take(policies);
  if (!held.isAdmitted) throw new Error(`refused by ${held.policy.name}`);
  return held;
}

test("as many run as the limit says, the next one is refused by name, and a slot that is given back serves again", async () => {
  const { clock, limiter } = start();
  const policies = slotsOf(2);
  const first = await take(limiter, policies);
  await take(limiter, policies);

  expect(await limiter.take(policies)).toMatchObject({ isAdmitted: false, policy: { name: "concurrency" } });
  expect(limiter.remaining(policies[0] as SlotPolicy)).toBe(0);
  limiter.release(first);
  limiter.release(first); // the second time changes nothing
  await settle();
  clock.advance(100);
  await take(limiter, policies);
  expect((await limiter.take(policies)).isAdmitted).toBe(false);
});

test("the slots of a small limit go back at once, so that another process can have them", async () => {
  const { clock, limiters } = start(["a", "b"]);
  const [a, b] = limiters as [SlotLimiter, SlotLimiter];
  const policies = slotsOf(1);
  const held = await take(a, policies);
  expect((await b.take(policies)).isAdmitted).toBe(false);

  a.release(held);
  await settle();
  clock.advance(50);

  await take(b, policies);
});

test("a large limit costs a write now and then, not two a request", async () => {
  const { clock, memory, limiter } = start();
  const policies = slotsOf(100);

  for (let count = 0; count < 1_000; count += 1) {
    const held = await Promise.all(Array.from({ length: 10 }, () => take(limiter, policies)));
    for (const each of held) limiter.release(each);
    await settle();
    clock.advance(1);
  }

  expect(memory.callCount()).toBeLessThan(10);
});

test("a process that was killed loses its slots after a life and its grace, and not before", async () => {
  const { clock, limiters } = start(["killed", "b"]);
  const [killed, b] = limiters as [SlotLimiter, SlotLimiter];
  const policies = slotsOf(1);
  await take(killed, policies);

  clock.advance(SLOT_LIFE_MS + SLOT_GRACE_MS - 1);
  expect((await b.take(policies)).isAdmitted).toBe(false);
  clock.advance(100);

  await take(b, policies);
});

test("what runs long is renewed, and a process that rests gives back what it kept", async () => {
  const { clock, memory, limiters } = start(["a", "b"]);
  const [a, b] = limiters as [SlotLimiter, SlotLimiter];
  const policies = slotsOf(1);
  const held = await take(a, policies);

  for (let count = 0; count < 20; count += 1) {
    clock.advance(5_000);
    await a.renew();
  }
  expect((await b.take(policies)).isAdmitted).toBe(false);
  a.release(held);
  await a.renew();

  expect(memory.entriesOf("t#concurrency")).toEqual([]);
});

test("a process that was paused beyond its lease says what it still runs, and gets no more until there is room", async () => {
  const { clock, memory, limiters } = start(["paused", "b"]);
  const [paused, b] = limiters as [SlotLimiter, SlotLimiter];
  const policies = slotsOf(2);
  const held = [await take(paused, policies), await take(paused, policies)];
  clock.advance(SLOT_LIFE_MS + SLOT_GRACE_MS);
  const others = [await take(b, policies), await take(b, policies)];

  expect((await paused.take(policies)).isAdmitted).toBe(false);

  expect(memory.entriesOf("t#concurrency").reduce((sum, { slots }) => sum + slots, 0)).toBe(4); // the limit and what the paused one still runs
  for (const each of others) b.release(each);
  await settle();
  clock.advance(100);
  expect((await b.take(policies)).isAdmitted).toBe(false);
  for (const each of held) paused.release(each);
  await settle();
  clock.advance(100);
  await take(b, policies);
});

test("a store that is away refuses whoever needs it, and what is held serves until its life is over", async () => {
  const { clock, memory, limiter } = start();
  const policies = slotsOf(8);
  const held = await take(limiter, policies); // with two more to keep
  const away = () => memory.fates.push("fails", "fails", "fails");

  away();
  await take(limiter, policies);
  await take(limiter, policies);
  await expect(take(limiter, policies)).rejects.toThrow("away");
  clock.advance(SLOT_LIFE_MS);
  limiter.release(held);
  await expect(take(limiter, policies)).rejects.toThrow("away");
  memory.fates.splice(0);

  await take(limiter, policies);
});

test("a refusal by the second policy gives the first one's slot back", async () => {
  const { limiter } = start();
  const rate = { requestsPerSecond: 1, burst: 1 };
  const both = policiesOf({
    tenant: { id: "t", rate, limits: { concurrentRequests: 2 } },
    key: { id: "k", limits: { concurrentRequests: 1 } },
  }).slots;
  await take(limiter, both);

  expect(await limiter.take(both)).toMatchObject({ isAdmitted: false, policy: { name: "key-concurrency" } });

  await settle();
  await take(limiter, both.slice(0, 1));
});

test("four processes on one real store never hold more than the limit, and nothing is left when they are done", async () => {
  const clock = stopClock();
  const policies = slotsOf(10, `t-${randomUUID()}`);
  const limiters = ["a", "b", "c", "d"].map((holder) =>
    createSlotLimiter({ store: createSlotStore({ lean, tablePrefix: "weir", holder }), clock, random: () => 0 }),
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
