import { beforeEach, expect, test } from "vitest";
import { type StoppedClock, stopClock } from "../../../test/harness/clock.ts";
import { createMemoryBalances, createMemoryLog, type Fate, type MemoryBalances } from "../../../test/harness/memory-balances.ts";
import { systemIds } from "../../base/id.ts";
import { applyCredit } from "./apply-credit.ts";
import { balancePico, EMPTY_BALANCE, leasedPico } from "./balance.ts";
import type { Credit } from "./credit.ts";
import { bookOfLease, LEASE_LIFE_MS } from "./leases.ts";
import { ACCEPTED_BEFORE_MS_MAX, createSpender, IDLE_MS, type Spender } from "./spender.ts";

let clock: StoppedClock;
let store: MemoryBalances;
let fate: Fate;
let spender: Spender;
beforeEach(async () => {
  clock = stopClock();
  fate = "done";
  store = createMemoryBalances(() => fate);
  spender = spenderOf("p1");
  const credit = { tenant: "acme", id: "c", kind: "grant", amountPico: "100000", expiresAt: null, priority: 0 } as const;
  await applyCredit(
    { balances: store, credits: createMemoryLog<Credit>() },
    { credit, stamp: { by: "test", why: "", atMs: clock.nowMs() } },
  );
});

const spenderOf = (lessee: string) => createSpender({ store, clock, ids: systemIds, lessee });
const hold = (mostPico: bigint, by = spender) => by.hold({ tenant: "acme", acceptedAtMs: clock.nowMs(), book: "standard", mostPico });
const balance = () => store.peek("acme");
const settled = () => new Promise<void>((done) => setImmediate(done));

test("many requests cost few writes, and what they did not spend comes back", async () => {
  const before = store.writeCount();
  for (let request = 0; request < 1_000; request += 1) (await hold(50n)).settle(20n);
  await settled();
  const writes = store.writeCount() - before;
  await spender.drain();

  expect(writes).toBeLessThan(40);
  expect(leasedPico(balance())).toBe(20_000n);
  expect(balancePico(balance())).toBe(80_000n);
});

test("what is held is not spent twice at once, by however many processes", async () => {
  const processes = [spender, spenderOf("p2"), spenderOf("p3")];

  const asked = await Promise.allSettled(Array.from({ length: 90 }, (_, index) => hold(3_000n, processes[index % 3])));

  const held = asked.filter(({ status }) => status === "fulfilled").length;
  expect(held * 3_000).toBeLessThanOrEqual(100_000);
  expect(held).toBeGreaterThan(20); // the last credits may lie in leases of others
  for (const each of asked) if (each.status === "rejected") expect(each.reason).toMatchObject({ code: "insufficient_funds", status: 402 });
});

test("a request that may cost more than there is is refused in words, and asking again costs no read", async () => {
  await expect(hold(100_001n)).rejects.toThrow("This request may cost 0.000000100001, and 0.0000001 of the prepaid balance is free.");
  let reads = 0;
  const read = (tenant: string) => {
    reads += 1;
    return store.read(tenant);
  };
  const counted = createSpender({ store: { ...store, read }, clock, ids: systemIds, lessee: "p2" });

  for (let time = 0; time < 10; time += 1) await expect(hold(200_000n, counted)).rejects.toMatchObject({ code: "insufficient_funds" });

  expect(reads).toBe(1);
  expect(balance().leases).toEqual([]);
});

test("the last credits are used up, those in the lease with those that are free", async () => {
  for (let request = 0; request < 99; request += 1) (await hold(1_000n)).settle(1_000n);

  (await hold(1_000n)).settle(1_000n);
  await expect(hold(1n)).rejects.toMatchObject({ code: "insufficient_funds" });

  expect(balancePico(balance())).toBe(0n);
});

test("a tenant that nobody has given anything is refused", async () => {
  await expect(spender.hold({ tenant: "globex", acceptedAtMs: clock.nowMs(), book: "standard", mostPico: 1n })).rejects.toMatchObject({
    code: "insufficient_funds",
  });
});

test("an idle process returns at once what no request holds, and the rest when that request has ended; it draws on the same lease again", async () => {
  (await hold(50n)).settle(20n);
  const slow = await hold(50n);
  clock.advance(IDLE_MS);

  await spender.tidy();
  expect(leasedPico(balance())).toBe(70n);
  slow.settle(30n);
  await spender.tidy();
  expect(leasedPico(balance())).toBe(50n);

  expect((await hold(50n)).lease).toBe(slow.lease);
  expect(balance().leases).toHaveLength(1);
});

test("a return that comes after another take takes nothing of that back, and one that is lost costs nobody anything", async () => {
  (await hold(50n)).settle(20n);
  clock.advance(IDLE_MS);
  const returning = spender.tidy(); // reads the balance before the next take, and writes after it
  await Promise.all([hold(60n), returning]);
  expect(leasedPico(balance())).toBeGreaterThanOrEqual(80n);

  clock.advance(IDLE_MS);
  fate = "lost";
  await spender.tidy();
  fate = "done";
  await Promise.all([hold(60n), hold(70n)]);
  expect(leasedPico(balance())).toBeGreaterThanOrEqual(20n + 60n + 60n + 70n);
  expect(balancePico(balance()) + leasedPico(balance())).toBe(100_000n);
});

test("what many tenants have left is returned a few at a time, so that requests find the store free", async () => {
  const calls = { now: 0, most: 0 };
  const counted = async <T>(work: Promise<T>) => {
    calls.now += 1;
    calls.most = Math.max(calls.most, calls.now);
    await settled();
    calls.now -= 1;
    return work;
  };
  const tenants = Array.from({ length: 40 }, (_, index) => `t${index}`);
  const grants = [{ id: "c", amountPico: 1_000n, leftPico: 1_000n, grantedAtMs: clock.nowMs(), expiresAtMs: null, priority: 0 }];
  for (const id of tenants) await store.write(id, { balance: { ...EMPTY_BALANCE, grants, grantedPico: 1_000n }, version: 0 });
  const read: MemoryBalances["read"] = (id) => counted(store.read(id));
  const write: MemoryBalances["write"] = (id, stored) => counted(store.write(id, stored));
  const many = createSpender({ store: { read, write }, clock, ids: systemIds, lessee: "p1" });
  for (const tenant of tenants) (await many.hold({ tenant, acceptedAtMs: clock.nowMs(), book: "standard", mostPico: 50n })).settle(20n);
  clock.advance(IDLE_MS);
  calls.most = 0;

  await many.tidy();

  expect(calls.most).toBeLessThanOrEqual(4);
  expect(tenants.map((id) => leasedPico(store.peek(id)))).toEqual(tenants.map(() => 20n));
});

test("many processes that serve a tenant now and then have few leases, and what they hold between two requests is free", async () => {
  const processes = Array.from({ length: 20 }, (_, index) => spenderOf(`p${index}`));

  for (let request = 0; request < 600; request += 1) {
    (await hold(50n, processes[request % processes.length])).settle(20n);
    clock.advance(3_000);
    if (request % 3 === 0) await Promise.all(processes.map((each) => each.tidy()));
  }

  expect(balance().leases.length).toBeLessThanOrEqual(20 * 4); // in half an hour of leases of ten minutes
  expect(leasedPico(balance()) - 600n * 20n).toBeLessThan(20n * 200n);
  expect(balancePico(balance()) + leasedPico(balance())).toBe(100_000n);
});

test("nothing begins on a lease that is over: the next request has another", async () => {
  const first = await hold(50n);
  clock.advance(LEASE_LIFE_MS);

  const second = await hold(50n);

  expect(second.lease).not.toBe(first.lease);
  expect(first.lease < second.lease).toBe(true);
});

test("while a change of book spreads, requests by the old one and by the new one have a lease each, and no more", async () => {
  const asked = (book: string) => spender.hold({ tenant: "acme", acceptedAtMs: clock.nowMs(), book, mostPico: 50n });

  for (let request = 0; request < 100; request += 1) (await asked(request % 2 === 0 ? "standard" : "new")).settle(20n);
  const leases = balance().leases.map(({ id, isClosed }) => [bookOfLease(id), isClosed]);
  await spender.drain();

  expect(leases.sort()).toEqual([
    ["new", false],
    ["standard", false],
  ]);
  expect(leasedPico(balance())).toBe(2_000n);
});

test("a request whose outcome nobody knows counts in full", async () => {
  (await hold(50n)).keep();
  const twice = await hold(50n);
  twice.release();
  twice.settle(50n); // too late: it has been released
  await spender.drain();

  expect(leasedPico(balance())).toBe(50n);
});

test("a lost acknowledgement takes credits once", async () => {
  fate = "unacknowledged";
  const one = hold(50n);
  await settled();
  fate = "done";

  expect((await one).lease).toBe(balance().leases[0]?.id);
  expect(balance().leases).toHaveLength(1);
});

test("a store that is away refuses before any work is done, and nothing is leased", async () => {
  fate = "lost";

  await expect(hold(50n)).rejects.toMatchObject({ code: "unavailable" });

  expect(balance().leases).toEqual([]);
});

test("a request that was accepted long ago gets no credits: its row would lie before its lease", async () => {
  const request = { tenant: "acme", acceptedAtMs: clock.nowMs() - ACCEPTED_BEFORE_MS_MAX - 1, book: "standard", mostPico: 1n };

  await expect(spender.hold(request)).rejects.toMatchObject({ code: "timeout" });

  expect(balance().leases).toEqual([]);
});
