import fc from "fast-check";
import { expect, test } from "vitest";
import { BalanceWorld, DAY_MS, type Ending, PROCESSES } from "../../../test/harness/balance-world.ts";
import type { Fate } from "../../../test/harness/memory-balances.ts";
import { type Balance, balancePico, leasedPico } from "./balance.ts";

type Step = (world: BalanceWorld) => unknown;

const anyAmount = fc.integer({ min: 1, max: 5_000 }).map(BigInt);
const anyProcess = fc.nat(PROCESSES - 1);
const anyShare = fc.nat(100);
const anyEnding = fc.constantFrom<Ending>("billed", "billed", "void", "unknown but billed", "unknown and void");
const anyFate = fc.constantFrom<Fate>("done", "done", "done", "done", "unacknowledged", "lost");

/** A step that prints as what it does, so that a counterexample can be read. */
function step<T extends unknown[]>(weight: number, arbitrary: fc.Arbitrary<T>, act: (world: BalanceWorld, ...args: T) => unknown) {
  const named = arbitrary.map((args): Step => {
    const run: Step = (world) => act(world, ...args);
    return Object.assign(run, { [fc.toStringMethod]: () => `${act} of ${args.join(", ")}` });
  });
  return { weight, arbitrary: named };
}

const grant = (world: BalanceWorld, amount: bigint, livesMs: number | null, priority: number) => {
  const expiresAt = livesMs === null ? null : new Date(world.clock.nowMs() + livesMs).toISOString();
  return world.credit({ kind: "grant", amountPico: `${amount}`, expiresAt, priority });
};
const takeAway = (world: BalanceWorld, amount: bigint) =>
  world.credit({ kind: "adjustment", amountPico: `${-amount}`, expiresAt: null, priority: 0 });

const anyStep = fc.oneof(
  step(3, fc.tuple(anyAmount, fc.option(fc.integer({ min: 1, max: DAY_MS })), fc.nat(3)), grant),
  step(1, fc.tuple(anyAmount), takeAway),
  step(1, fc.tuple(fc.nat()), (world, pick) => world.send(pick)),
  step(10, fc.tuple(anyProcess, fc.integer({ min: 1, max: 300 }).map(BigInt)), (world, process, most) => world.begin(process, most)),
  step(8, fc.tuple(fc.nat(), anyShare, anyEnding), (world, pick, share, how) => world.end(pick, share, how)),
  step(1, fc.tuple(fc.nat(), anyAmount), (world, pick, excess) => world.endAbove(pick, excess)),
  step(2, fc.tuple(anyProcess, anyShare), (world, process, share) => world.kill(process, share)),
  step(2, fc.tuple(anyProcess), (world, process) => world.tidy(process)),
  step(4, fc.tuple(fc.integer({ min: 1, max: 3_600_000 })), (world, ms) => world.clock.advance(ms)),
  step(3, fc.tuple(), (world) => world.audit()),
  step(1, fc.tuple(), (world) => world.reaudit()),
  step(1, fc.tuple(fc.nat()), (world, pick) => world.voidLate(pick)),
);
const anyHistory = fc.record({
  fates: fc.array(anyFate, { minLength: 1, maxLength: 40 }),
  steps: fc.array(anyStep, { minLength: 5, maxLength: 120 }),
});

/** Granted = balance + leases + spent + expired. */
function expectWhole(balance: Balance, grantedPico: bigint) {
  expect(balancePico(balance) + leasedPico(balance) + balance.spentPico + balance.expiredPico).toBe(grantedPico);
}

test("in any history the balance, the leases and what rows cost are what was granted, to the pico", async () => {
  await fc.assert(
    fc.asyncProperty(anyHistory, async ({ fates, steps }) => {
      const world = new BalanceWorld(fates);
      for (const act of steps) {
        await act(world);

        expectWhole(world.balance, world.balance.grantedPico);
        expect(balancePico(world.balance)).toBeGreaterThanOrEqual(-world.excessPico);
        expect(world.balance.grants.every(({ leftPico, amountPico }) => leftPico >= 0n && leftPico <= amountPico)).toBe(true);
      }

      await world.finish();

      const given = world.sent.filter(({ isDone }) => isDone).reduce((sum, { credit }) => sum + BigInt(credit.amountPico), 0n);
      expect(world.balance.leases).toEqual([]);
      expect(world.balance.spentPico).toBe(world.spentOn(() => true));
      expect(world.sent.every(({ isDone, isRefused }) => isDone !== isRefused)).toBe(true);
      expectWhole(world.balance, given);
    }),
    { numRuns: 300 },
  );
});

test("when no row costs more than was held for it, the balance is never below zero", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyFate, { minLength: 1 }),
      fc.array(fc.tuple(anyProcess, fc.integer({ min: 1, max: 300 }).map(BigInt))),
      async (fates, asked) => {
        const world = new BalanceWorld(fates);
        await world.credit({ kind: "grant", amountPico: "1000", expiresAt: null, priority: 0 });

        for (const [process, most] of asked) await world.begin(process, most);
        for (let time = 0; time < asked.length; time += 1) world.end(0, 100, "billed");
        await world.finish();

        expect(world.spentOn(() => true)).toBeLessThanOrEqual(1_000n);
        expect(balancePico(world.balance)).toBeGreaterThanOrEqual(0n);
      },
    ),
  );
});
