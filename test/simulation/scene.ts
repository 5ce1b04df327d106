import type { LeanDynamo } from "../../shared/dynamo/lean-client.ts";
import type { FakeDynamo } from "../harness/fake-dynamo/fake-dynamo.ts";
import type { Bucket } from "./billing.ts";
import type { Focus } from "./focus.ts";
import { drawClockError, type Plan } from "./plan.ts";
import { CALM, createStoreLink, type LinkCounts, type Weather } from "./store-link.ts";
import type { ClockError, Machine, World } from "./world.ts";

/** Everything that a history's parts share. */
export type Scene = {
  readonly world: World;
  readonly store: FakeDynamo;
  readonly bucket: Bucket;
  readonly plan: Plan;
  readonly counts: LinkCounts;
  readonly focus: Focus;
  readonly machines: Set<Machine>;
  readonly state: {
    weather: Weather;
    isCalm: boolean;
    /** No machine is told to die once so many have. */
    killsMax: number;
    /** Whoever dies in another phase than it was started in is not started again. */
    phase: number;
    haveClocksJumped: boolean;
  };
};

/** A part of the product that runs on a machine of its own, and is started again wherever it dies. */
export type Part = {
  readonly name: string;
  readonly start: (machine: Machine, link: LeanDynamo) => void;
  readonly ended: () => void;
  /** It dies at one of its first so many steps. */
  readonly killStepsMax: number;
};

const KILL_SHARE = 0.7;
const RESTART_MS_MAX = 15_000;
/** Of one phase. */
const KILLS_MAX = 8;
const JUMP_SHARE = 0.3;

/** Starts a part; while the history is rough it may be killed at any of its steps, and another machine takes its place. */
export function keepRunning(scene: Scene, part: Part) {
  const { world, state, machines } = scene;
  const { random } = world;
  const { phase } = state;
  const machine = world.spawn(part.name, state.isCalm ? SOUND : clockErrorOf(scene));
  const link = createStoreLink({
    world,
    machine,
    store: scene.store,
    weather: () => state.weather,
    counts: scene.counts,
    focus: scene.focus,
  });
  machines.add(machine);
  machine.run(() => part.start(machine, link));
  if (state.isCalm) return;
  world.after(random.below(scene.plan.trafficMs), () => jump(scene, machine));
  if (random.chance(KILL_SHARE) && world.counts.kills < state.killsMax) machine.killAtStep(1 + random.below(part.killStepsMax));
  void machine.died.then(() => {
    machines.delete(machine);
    part.ended();
    if (state.phase !== phase) return;
    world.after(random.below(RESTART_MS_MAX), () => {
      if (state.phase === phase) keepRunning(scene, part);
    });
  });
}

const SOUND = { offsetMs: 0, driftPpm: 0 };

function clockErrorOf({ world, state, focus: { leaning } }: Scene): ClockError {
  const { clocksJumpMs } = leaning;
  if (clocksJumpMs === undefined) return drawClockError(world.random, leaning);
  return { offsetMs: state.haveClocksJumped ? clocksJumpMs : -clocksJumpMs, driftPpm: 0 };
}

/** A clock that is set right or wrong while the machine runs. */
function jump(scene: Scene, machine: Machine) {
  if (!scene.state.isCalm && scene.world.random.chance(JUMP_SHARE)) machine.setClock(clockErrorOf(scene));
}

/** All clocks at once go from behind to ahead. */
export function jumpTogether(scene: Scene) {
  if (scene.focus.leaning.clocksJumpMs === undefined || scene.state.isCalm) return;
  scene.state.haveClocksJumped = true;
  for (const machine of scene.machines) machine.setClock(clockErrorOf(scene));
}

/** Fair weather is not calm: in it the steps in focus go wrong. */
const FAIR: Weather = { ...CALM };

export function changeWeather({ state, plan }: Scene, weather: Weather) {
  if (!state.isCalm) state.weather = plan.isFair ? FAIR : weather;
}

export function firstState({ isFair }: Plan): Scene["state"] {
  return { weather: CALM, isCalm: false, killsMax: isFair ? 0 : KILLS_MAX, phase: 0, haveClocksJumped: false };
}

/** Nobody runs any more, and nobody is started again. */
export function switchAllOff({ state, machines }: Scene) {
  state.phase += 1;
  for (const machine of machines) machine.switchOff();
  machines.clear();
}

/** Hard times begin, for whoever is started from now on. */
export function roughen({ state, world, plan }: Scene, weather: Weather) {
  const { kills } = world.counts;
  Object.assign(state, { weather: plan.isFair ? FAIR : weather, isCalm: false, killsMax: plan.isFair ? kills : kills + KILLS_MAX });
}

/** From now on nothing is lost, nobody dies, and clocks are right. */
export function calmDown({ state, machines }: Scene) {
  state.isCalm = true;
  state.weather = CALM;
  for (const machine of machines) {
    machine.killAtStep(Number.POSITIVE_INFINITY);
    machine.setClock(SOUND);
  }
}
