import { createFakeDynamo, type FakeDynamo } from "../harness/fake-dynamo/fake-dynamo.ts";
import type { Guard } from "../harness/fake-dynamo/guards.ts";
import { type Attempt, ask } from "./caller.ts";
import { type Gateway, startGateway, TABLE_PREFIX } from "./gateway.ts";
import { drawClockError, drawPlan, type Plan } from "./plan.ts";
import { fillStore, seededStore } from "./seed-store.ts";
import { CALM, createStoreLink, type LinkCounts, type Weather } from "./store-link.ts";
import { violationsOf } from "./verdict.ts";
import { createWorld, type Machine, type World } from "./world.ts";

export type History = {
  readonly seed: string;
  readonly violations: readonly string[];
  readonly attempts: readonly Attempt[];
  readonly guards: ReadonlySet<Guard>;
  readonly counts: LinkCounts & { readonly kills: number; readonly steps: number; readonly answered: number };
};

/** Long enough for every void marker, late call and pause to have its end. */
const CALM_MS = 20 * 60_000;
const KILL_SHARE = 0.7;
const KILL_STEPS_MAX = 120;
const RESTART_MS_MAX = 15_000;
const KILLS_MAX = 6;

/** Everything that a history's parts share. */
type Scene = {
  readonly world: World;
  readonly store: FakeDynamo;
  readonly plan: Plan;
  readonly counts: LinkCounts;
  readonly fleet: (Gateway | undefined)[];
  readonly state: { weather: Weather; isCalm: boolean };
};

/** One history from its seed: traffic, faults and kills, then calm, and at last the question whether all promises were kept. */
export async function runHistory(seed: string, ignored: ReadonlySet<Guard> = new Set()): Promise<History> {
  const seeded = await seededStore();
  const world = createWorld(seed);
  const plan = drawPlan(world.random.fork("plan"), seeded);
  const store = createFakeDynamo({ tablePrefix: TABLE_PREFIX, ignored });
  fillStore(store, seeded, world.nowMs());
  const counts = { calls: 0, lostAnswers: 0, lostCalls: 0, late: 0, throttled: 0 };
  const scene: Scene = { world, store, plan, counts, fleet: [], state: { weather: CALM, isCalm: false } };
  for (let place = 0; place < plan.gatewayCount; place += 1) launch(scene, place);
  for (const { atMs, weather } of plan.weathers) world.after(atMs, () => changeWeather(scene, weather));
  const attempts = Promise.all(plan.orders.map((each) => place(scene, each)));
  await world.runUntil(world.nowMs() + plan.trafficMs);
  calmDown(scene);
  await world.runUntil(world.nowMs() + CALM_MS);
  const made = await Promise.race([attempts, Promise.reject(new Error(`seed ${seed}: a caller still waits after ${CALM_MS} ms of calm`))]);
  const violations = violationsOf({ attempts: made, store });
  const answered = made.filter(({ ending }) => ending === "answered").length;
  return { seed, violations, attempts: made, guards: store.guards, counts: { ...counts, ...world.counts, answered } };
}

async function place({ world, fleet }: Scene, { atMs, order }: Plan["orders"][number]): Promise<Attempt> {
  await world.wait(atMs);
  return ask(world, world.random.pick(fleet), order);
}

/** Starts a gateway in a place of the fleet; it may be killed at any of its steps, and then another one takes its place. */
function launch(scene: Scene, place: number) {
  const { world, counts, store, state } = scene;
  const { random } = world;
  const machine = world.spawn(`gateway ${place}`, state.isCalm ? { offsetMs: 0, driftPpm: 0 } : drawClockError(random));
  const link = createStoreLink({ world, machine, store, weather: () => state.weather, counts });
  scene.fleet[place] = startGateway(world, machine, link);
  if (state.isCalm) return;
  world.after(random.below(scene.plan.trafficMs), () => jump(scene, machine));
  if (random.chance(KILL_SHARE) && world.counts.kills < KILLS_MAX) machine.killAtStep(1 + random.below(KILL_STEPS_MAX));
  void machine.died.then(() => {
    scene.fleet[place] = undefined;
    world.after(random.below(RESTART_MS_MAX), () => launch(scene, place));
  });
}

/** A clock that is set right or wrong while the machine runs. */
function jump({ world, state }: Scene, machine: Machine) {
  if (!state.isCalm && world.random.chance(0.3)) machine.setClock(drawClockError(world.random));
}

function changeWeather({ state }: Scene, weather: Weather) {
  if (!state.isCalm) state.weather = weather;
}

function calmDown({ state, fleet }: Scene) {
  state.isCalm = true;
  state.weather = CALM;
  for (const gateway of fleet) {
    gateway?.machine.killAtStep(Number.POSITIVE_INFINITY);
    gateway?.machine.setClock({ offsetMs: 0, driftPpm: 0 });
  }
}
