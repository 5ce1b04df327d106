import { setImmediate as turn } from "node:timers/promises";
import fc from "fast-check";
import { expect, test } from "vitest";
import { slotPolicies } from "../../test/harness/slot-crowd.ts";
import { type CallFate, createSlotWorld, type SlotWorld } from "../../test/harness/slot-world.ts";
import type { Refused } from "./limiter.ts";
import type { SlotPolicy } from "./policy.ts";
import { SLOT_GRACE_MS, SLOT_LIFE_MS, type SlotEntry } from "./slot-entries.ts";
import type { HeldSlots } from "./slots.ts";

/** Clocks may be off the right time by this: two of them by less than the grace. */
const AHEAD_MS_MAX = 900;
const PROCESSES = 4;

const anyFate = fc.oneof(
  { weight: 6, arbitrary: fc.constant<CallFate>("works") },
  fc.constantFrom<CallFate>("lost", "fails", "late", "strays", "strays"),
);
const anyStep = fc.record({
  waitMs: fc.oneof(
    { weight: 4, arbitrary: fc.integer({ min: 0, max: 400 }) },
    { weight: 2, arbitrary: fc.constant(0) },
    fc.integer({ min: 0, max: 20_000 }),
  ),
  process: fc.nat(PROCESSES - 1),
  act: fc.constantFrom("take", "take", "take", "take", "release", "release", "renew", "kill"),
  fates: fc.array(anyFate, { maxLength: 3 }),
  /** Whether what is late, or astray, arrives before this. */
  delivers: fc.boolean(),
});
const anyAhead = fc.integer({ min: -AHEAD_MS_MAX, max: AHEAD_MS_MAX });
type Step = typeof anyStep extends fc.Arbitrary<infer S> ? S : never;

test("slots in use never exceed the limit but by those of processes that could not renew, and none is lost for longer than its life", {
  timeout: 60_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 40 })),
      fc.array(anyAhead, { minLength: PROCESSES, maxLength: PROCESSES }),
      fc.array(anyStep, { minLength: 20, maxLength: 80 }),
      async (limit, ahead, steps) => {
        const world = createSlotWorld();
        const [policy] = slotPolicies(limit) as [SlotPolicy];
        const processes = ahead.map((aheadMs) => newProcess(world, aheadMs));
        for (const step of steps) {
          await run({ world, policy, processes }, step);
          expect(world.totalOf(policy)).toBe(world.entriesOf(policy).reduce((sum, { slots }) => sum + slots, 0));
          expect(inTime(processes).reduce((sum, { held }) => sum + held.length, 0)).toBeLessThanOrEqual(limit);
          for (const { name, held } of inTime(processes))
            expect(slotsIn(world.entriesOf(policy), name)).toBeGreaterThanOrEqual(held.length);
        }

        // Everybody dies: after a life and its grace all slots can be had again.
        for (const { kill } of processes) kill();
        await world.pass(SLOT_LIFE_MS + SLOT_GRACE_MS + 2 * AHEAD_MS_MAX);
        world.deliver();
        world.fates.splice(0);
        const { limiter } = newProcess(world, 0);
        expect(await limiter.look(policy)).toBe(limit);
        const taken = await Promise.all(Array.from({ length: limit + 1 }, () => limiter.take([policy])));
        expect(taken.filter(({ isAdmitted }) => isAdmitted)).toHaveLength(limit);
      },
    ),
    { numRuns: 300, endOnFailure: true },
  );
});

let born = 0;

function newProcess(world: SlotWorld, aheadMs: number) {
  born += 1;
  const name = `process-${born}`;
  /** Lapsed: its lease's life was over while it held some. */
  return { name, aheadMs, ...world.start(name, aheadMs), held: [] as HeldSlots[], endsAtMs: 0, hasLapsed: false };
}

type Process = ReturnType<typeof newProcess>;
type Scene = { readonly world: SlotWorld; readonly policy: SlotPolicy; readonly processes: Process[] };

async function run({ world, policy, processes }: Scene, { waitMs, process: number, act, fates, delivers }: Step) {
  await world.pass(waitMs);
  noteLapses({ world, policy, processes });
  if (delivers) world.deliver();
  await turn();
  world.fates.splice(0, world.fates.length, ...fates);
  const process = processes[number] as Process;
  if (act === "take") {
    const noted = (verdict: HeldSlots | Refused) => {
      if (verdict.isAdmitted) process.held.push(verdict);
    };
    Promise.resolve(process.limiter.take([policy])).then(noted, () => {});
  }
  const released = act === "release" ? process.held.shift() : undefined;
  if (released !== undefined) process.limiter.release(released);
  if (act === "renew") void process.limiter.renew();
  if (act === "kill") {
    process.kill();
    processes[number] = newProcess(world, process.aheadMs);
  }
  await turn();
  noteLapses({ world, policy, processes });
}

/** By its entry's end as it was last seen, and not by the entry, which somebody might have taken out too early. */
function noteLapses({ world, policy, processes }: Scene) {
  const ends = new Map(world.entriesOf(policy).map(({ holder, endsAtMs }) => [holder, endsAtMs]));
  for (const each of processes) {
    each.endsAtMs = Math.max(each.endsAtMs, ends.get(each.name) ?? 0);
    const isOver = each.endsAtMs + SLOT_GRACE_MS - AHEAD_MS_MAX <= world.clock.nowMs();
    each.hasLapsed = each.held.length > 0 && (each.hasLapsed || isOver);
  }
}

function inTime(processes: readonly Process[]): Process[] {
  return processes.filter(({ hasLapsed }) => !hasLapsed);
}

function slotsIn(entries: readonly SlotEntry[], name: string): number {
  return entries.find(({ holder }) => holder === name)?.slots ?? 0;
}
