import { expect, test } from "vitest";
import { createMemoryBalances } from "../../../test/harness/memory-balances.ts";
import { Failure } from "../../base/failure.ts";
import { systemIds } from "../../base/id.ts";
import { type BalanceStore, EMPTY_BALANCE, sumPico } from "./balance.ts";
import { changeBalance } from "./change-balance.ts";
import { auditLease } from "./leases.ts";
import { createSpender, IDLE_MS } from "./spender.ts";

const HISTORIES = 100;
const STEPS = 60;
const GRANTED_PICO = 9_000n;
const START_MS = Date.UTC(2026, 10, 23, 12);

/** The same numbers for the same seed. */
function chanceOf(seed: number) {
  let state = seed;
  return (below: number) => {
    state = (state * 1_103_515_245 + 12_345) & 0x7fffffff;
    return Math.floor((state / 0x80000000) * below);
  };
}
type Chance = ReturnType<typeof chanceOf>;

async function turns(count: number) {
  for (let turn = 0; turn < count; turn += 1) await new Promise<void>((done) => setImmediate(done));
}

/** A store whose calls take some turns, and whose writes may be lost, done unheard, or done when nobody waits for them any more. */
function slowly(inner: BalanceStore, chance: Chance): BalanceStore {
  const unheard = () => new Failure("unavailable", "no answer");
  return {
    read: async (tenant) => turns(chance(4)).then(() => inner.read(tenant)),
    async write(tenant, stored) {
      await turns(chance(4));
      const fate = chance(10);
      if (fate === 0) throw unheard();
      if (fate === 1) void turns(1 + chance(30)).then(() => inner.write(tenant, stored));
      else if (fate === 2) await inner.write(tenant, stored);
      if (fate <= 2) throw unheard();
      const isDone = await inner.write(tenant, stored);
      await turns(chance(4));
      return isDone;
    },
  };
}

/** Two processes that serve a tenant by two books, now and then, and look for what is idle beside it; answers what each lease has paid for. */
async function live(inner: BalanceStore, chance: Chance): Promise<ReadonlyMap<string, bigint>> {
  let nowMs = START_MS;
  const store = slowly(inner, chance);
  const spenders = ["p1", "p2"].map((lessee) => createSpender({ store, clock: { nowMs: () => nowMs }, ids: systemIds, lessee }));
  const costs = new Map<string, bigint>();
  const serve = async (spender: (typeof spenders)[number], mostPico: bigint, costPico: bigint) => {
    const book = chance(5) === 0 ? "new" : "standard";
    const hold = await spender.hold({ tenant: "acme", acceptedAtMs: nowMs, book, mostPico }).catch(() => undefined);
    if (hold === undefined) return;
    await turns(chance(40));
    costs.set(hold.lease, (costs.get(hold.lease) ?? 0n) + costPico);
    if (chance(10) === 0) hold.keep();
    else hold.settle(costPico);
  };
  const work: Promise<void>[] = [];
  for (let step = 0; step < STEPS; step += 1) {
    const spender = spenders[chance(2)];
    const what = chance(10);
    const mostPico = 1 + chance(100);
    if (spender === undefined) continue;
    if (what < 5) work.push(serve(spender, BigInt(mostPico), BigInt(chance(mostPico + 1))));
    else if (what < 8) work.push(spender.tidy());
    else await turns(chance(6));
    if (what === 7) nowMs += IDLE_MS;
  }
  await Promise.all(work);
  if (chance(2) === 0) await Promise.all(spenders.map((each) => each.drain()));
  await turns(40);
  return costs;
}

test("whatever is late, lost or at once, a lease holds what its requests cost, and all of it is what was granted", async () => {
  for (let seed = 1; seed <= HISTORIES; seed += 1) {
    const inner = createMemoryBalances();
    const grant = { amountPico: 3_000n, leftPico: 3_000n, grantedAtMs: START_MS, expiresAtMs: null };
    const grants = [1, 2, 3].map((priority) => ({ ...grant, id: `g${priority}`, priority }));
    await inner.write("acme", { balance: { ...EMPTY_BALANCE, grants, grantedPico: GRANTED_PICO }, version: 0 });

    const costs = await live(inner, chanceOf(seed));

    const { leases } = inner.peek("acme");
    for (const [id, costPico] of costs)
      expect(sumPico(leases.find((each) => each.id === id)?.draws ?? []), `seed ${seed}`).toBeGreaterThanOrEqual(costPico);
    for (const { id } of leases)
      await changeBalance(inner, "acme", (each) => auditLease(each, { lease: id, spentPico: costs.get(id) ?? 0n, nowMs: START_MS }));
    const end = inner.peek("acme");
    expect(
      end.grants.reduce((sum, { leftPico }) => sum + leftPico, end.spentPico),
      `seed ${seed}`,
    ).toBe(GRANTED_PICO);
    expect(end.debtPico, `seed ${seed}`).toBe(0n);
  }
});
