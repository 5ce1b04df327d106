import type { Clock } from "../../shared/base/clock.ts";
import { createRandom, type Random } from "../harness/random.ts";
import { type Agenda, createAgenda } from "./agenda.ts";
import { inWorld } from "./virtual-timers.ts";

/** How wrong a machine's clock is: so far off now, and drifting by so many parts of a million. */
export type ClockError = { readonly offsetMs: number; readonly driftPpm: number };

/** One process of the product: it can be killed between any two of its steps, and nothing of it happens after that. */
export type Machine = {
  readonly name: string;
  readonly clock: Clock;
  readonly isAlive: () => boolean;
  /** Resolves when it is killed or switched off. */
  readonly died: Promise<void>;
  /** As a kill, but meant: when a history needs it no longer. */
  readonly switchOff: () => void;
  readonly setClock: (error: ClockError) => void;
  /** Runs code as this machine's: what it waits for and what it times ends with the machine. */
  readonly run: <T>(work: () => T) => T;
  /** Kills it when it has come to its step of that number, counted from now. */
  readonly killAtStep: (step: number) => void;
  /** The step that runs does not count: a timer that only looks whether there is something to do. */
  readonly passOver: () => void;
};

/** Time, chance and machines of one history; everything that happens follows from the seed. */
export type World = {
  readonly seed: string;
  readonly random: Random;
  /** True time, in milliseconds since the epoch. */
  readonly nowMs: () => number;
  readonly spawn: (name: string, error: ClockError) => Machine;
  /** Does something later, as a machine's own or as nobody's; answers how to call it off. */
  readonly after: (delayMs: number, work: () => void, machine?: Machine) => () => void;
  /** Lets what is due happen, step by step, until true time. Fails when one history has more steps than any should. */
  readonly runUntil: (atMs: number) => Promise<void>;
  readonly wait: (delayMs: number) => Promise<void>;
  /** How many steps were made and machines killed. */
  readonly counts: { steps: number; kills: number };
};

const STEPS_MAX = 200_000;
/** An hour before a month is over, so that little has to be sealed until it is billed; a minute later, for clocks may be half a minute off. */
export const STARTS_AT_MS = Date.UTC(2026, 10, 30, 23, 1);

export function createWorld(seed: string, startsAtMs = STARTS_AT_MS): World {
  const agenda = createAgenda();
  const random = createRandom(seed);
  const counts = { steps: 0, kills: 0 };
  let nowMs = startsAtMs;
  const world: World = {
    seed,
    random,
    counts,
    nowMs: () => nowMs,
    spawn: (name, error) => spawn(world, name, error),
    after: (delayMs, work, machine) => agenda.add(nowMs + Math.max(0, delayMs), work, machine),
    wait: (delayMs) => new Promise((resolve) => void agenda.add(nowMs + delayMs, resolve, undefined)),
    runUntil: (atMs) =>
      runUntil({ world, agenda }, atMs, (at) => {
        nowMs = at;
      }),
  };
  return world;
}

async function runUntil({ world, agenda }: { world: World; agenda: Agenda }, atMs: number, setNow: (atMs: number) => void) {
  for (;;) {
    await untilQuiet();
    const event = agenda.take(atMs);
    if (event === undefined) break;
    setNow(Math.max(event.atMs, world.nowMs()));
    world.counts.steps += 1;
    if (world.counts.steps > STEPS_MAX) throw new Error(`the history ${world.seed} has more than ${STEPS_MAX} steps`);
    const { machine } = event;
    if (machine === undefined) inWorld({ world, machine }, event.work);
    else if (machine.isAlive()) machine.run(event.work);
  }
  setNow(Math.max(atMs, world.nowMs()));
}

/** Promises that are settled have run their course when an immediate comes: nothing here waits for the outside. */
function untilQuiet(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function spawn(world: World, name: string, first: ClockError): Machine {
  const bornAtMs = world.nowMs();
  let [error, isAlive, stepsLeft] = [first, true, Number.POSITIVE_INFINITY];
  let die = () => {};
  const died = new Promise<void>((resolve) => {
    die = resolve;
  });
  const machine: Machine = {
    name,
    died,
    clock: {
      nowMs: () => Math.floor(world.nowMs() + error.offsetMs + ((world.nowMs() - bornAtMs) * error.driftPpm) / 1e6),
    },
    isAlive: () => isAlive,
    switchOff() {
      isAlive = false;
      die();
    },
    setClock(changed) {
      error = changed;
    },
    killAtStep(step) {
      stepsLeft = step;
    },
    passOver() {
      stepsLeft += 1;
    },
    run(work) {
      const result = inWorld({ world, machine }, work);
      stepsLeft -= 1;
      if (stepsLeft <= 0 && isAlive) {
        world.counts.kills += 1;
        machine.switchOff();
      }
      return result;
    },
  };
  return machine;
}
