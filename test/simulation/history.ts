import { MINUTE_MS } from "../../shared/usage/period.ts";
import { createFakeDynamo } from "../harness/fake-dynamo/fake-dynamo.ts";
import type { Guard } from "../harness/fake-dynamo/guards.ts";
import { type Asked, type Attempt, ask, attemptOf } from "./caller.ts";
import { createBodies, type Gateway, startGateway, TABLE_PREFIX } from "./gateway.ts";
import { drawPlan, type Plan } from "./plan.ts";
import { calmDown, changeWeather, keepRunning, type Scene } from "./scene.ts";
import { sealAll, startSealer } from "./sealing.ts";
import { fillStore, seededStore } from "./seed-store.ts";
import { CALM, type LinkCounts } from "./store-link.ts";
import { violationsOf } from "./verdict.ts";
import { createWorld, type World } from "./world.ts";

export type History = {
  readonly seed: string;
  readonly violations: readonly string[];
  readonly attempts: readonly Attempt[];
  readonly guards: ReadonlySet<Guard>;
  readonly counts: LinkCounts & { readonly kills: number; readonly steps: number; readonly answered: number };
};

export type Settings = {
  /** Guards that the store does not ask. */
  readonly ignored?: ReadonlySet<Guard>;
  /** A step whose calls go wrong more often than others. */
  readonly focus?: string | undefined;
};

/** The last minutes with traffic are sealed while the weather is still bad; before the first of them is due, sealers would find nothing. */
const SEALING_MS = { from: 15 * MINUTE_MS, until: 17 * MINUTE_MS };
const EARLY_SEALING_MS = { from: 0, until: 3 * MINUTE_MS };
/** Long enough for every void marker, late call and pause to have its end. */
const CALM_MS = 2 * MINUTE_MS;
const PATIENCE_MINUTES_MAX = 30;
const ATTEMPTS_MAX = 12;
const RETRY_MS_MAX = 20_000;
const GATEWAY_STEPS_MAX = 150;
const SEALER_STEPS_MAX = 600;

/** One history from its seed: traffic, faults and kills, then calm, and at last the question whether all promises were kept. */
export async function runHistory(seed: string, { ignored, focus }: Settings = {}): Promise<History> {
  const seeded = await seededStore();
  const world = createWorld(seed);
  const plan = drawPlan(world.random.fork("plan"), seeded);
  const store = createFakeDynamo({ tablePrefix: TABLE_PREFIX, ...(ignored === undefined ? {} : { ignored }) });
  fillStore(store, seeded, world.nowMs());
  const counts = { calls: 0, lostAnswers: 0, lostCalls: 0, late: 0, throttled: 0 };
  const scene: Scene = { world, store, plan, counts, focus, machines: new Set(), state: { weather: CALM, isCalm: false } };
  const fleet = startParts(scene);
  for (const { atMs, weather } of plan.weathers) world.after(atMs, () => changeWeather(scene, weather));
  const attempts = Promise.all(plan.orders.map((each) => place(scene, fleet, each)));
  await world.runUntil(world.nowMs() + plan.trafficMs + sealingOf(plan).until);
  calmDown(scene);
  const asked = await finished(world, attempts);
  await world.runUntil(world.nowMs() + CALM_MS);
  const made = asked.flat().map(attemptOf);
  const totals = await sealAll(world, store);
  const violations = violationsOf({ attempts: made, store, totals });
  const answered = made.filter(({ ending }) => ending === "answered").length;
  return { seed, violations, attempts: made, guards: store.guards, counts: { ...counts, ...world.counts, answered } };
}

/** Lets the patient have their answers. */
async function finished<T>(world: World, attempts: Promise<T>): Promise<T> {
  const waiting = Symbol("waiting");
  for (let minute = 0; minute < PATIENCE_MINUTES_MAX; minute += 1) {
    await world.runUntil(world.nowMs() + MINUTE_MS);
    const seen = await Promise.race([attempts, Promise.resolve(waiting)]);
    if (seen !== waiting) return seen as T; // what else a race of the two gives
  }
  throw new Error(`seed ${world.seed}: a caller still waits after ${PATIENCE_MINUTES_MAX} minutes of calm`);
}

/** Answers the gateways, as they come and go. */
function startParts(scene: Scene): (Gateway | undefined)[] {
  const fleet: (Gateway | undefined)[] = [];
  const bodies = createBodies(scene.world);
  for (let place = 0; place < scene.plan.gatewayCount; place += 1) {
    keepRunning(scene, {
      name: `gateway ${place}`,
      killStepsMax: GATEWAY_STEPS_MAX,
      start: (machine, link) => {
        fleet[place] = startGateway(scene.world, machine, { link, bodies });
      },
      ended: () => {
        fleet[place] = undefined;
      },
    });
  }
  scene.world.after(sealingOf(scene.plan).from, () => startSealers(scene));
  return fleet;
}

function startSealers(scene: Scene) {
  for (let place = 0; place < scene.plan.sealerCount; place += 1) {
    keepRunning(scene, {
      name: `sealer ${place}`,
      killStepsMax: SEALER_STEPS_MAX,
      start: (machine, link) => startSealer(scene.world, machine, { link, aheadMs: scene.plan.sealersAheadMs }),
      ended: () => {},
    });
  }
}

function sealingOf({ sealersAheadMs }: Plan) {
  return sealersAheadMs === 0 ? SEALING_MS : EARLY_SEALING_MS;
}

/** An order is asked once, or with an Idempotency-Key again and again until it is answered, be it twice at once. */
async function place({ world }: Scene, fleet: readonly (Gateway | undefined)[], { atMs, order }: Plan["orders"][number]): Promise<Asked[]> {
  await world.wait(atMs);
  const attempt = () => ask(world, world.random.pick(fleet), order);
  if (order.idempotencyKey === undefined) return [await attempt()];
  const askUntilAnswered = async (attemptsMax: number) => {
    const made: Asked[] = [];
    while (made.length < attemptsMax && made.at(-1)?.ending !== "answered") {
      if (made.length > 0) await world.wait(world.random.below(RETRY_MS_MAX));
      made.push(await attempt());
    }
    return made;
  };
  const impatient = world.random.chance(0.3) ? [askUntilAnswered(1)] : [];
  return (await Promise.all([askUntilAnswered(ATTEMPTS_MAX), ...impatient])).flat();
}
