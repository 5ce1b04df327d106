import { MINUTE_MS } from "../../shared/usage/period.ts";
import { createFakeDynamo } from "../harness/fake-dynamo/fake-dynamo.ts";
import type { Guard } from "../harness/fake-dynamo/guards.ts";
import { createRandom } from "../harness/random.ts";
import { startAccountant } from "./accounting.ts";
import { type Asked, type Attempt, ask, attemptOf } from "./caller.ts";
import { type Fleet, finished, startFleet } from "./fleet.ts";
import { type Focus, NO_FOCUS } from "./focus.ts";
import { TABLE_PREFIX } from "./gateway.ts";
import { type Given, give } from "./gifts.ts";
import { endMonth } from "./month-end.ts";
import { MONTHS } from "./months.ts";
import { drawPlan, type Plan } from "./plan.ts";
import { calmDown, changeWeather, firstState, jumpTogether, keepRunning, type Part, type Scene } from "./scene.ts";
import { startSealer, totalsOf } from "./sealing.ts";
import { fillStore, PREPAID, type Seeded, seededStore } from "./seed-store.ts";
import type { LinkCounts } from "./store-link.ts";
import { violationsOf } from "./verdict.ts";
import { createWorld, STARTS_AT_MS, type World } from "./world.ts";

export type History = {
  readonly seed: string;
  readonly violations: readonly string[];
  readonly attempts: readonly Attempt[];
  readonly guards: ReadonlySet<Guard>;
  /** Writes that only an ignored guard would have refused. */
  readonly passedOver: number;
  /** `corrections` are what operators did to invoices. */
  readonly counts: LinkCounts & World["counts"] & ReturnType<typeof countsOf> & { readonly corrections: number };
};

export type Settings = {
  /** Guards that the store does not ask. */
  readonly ignored?: ReadonlySet<Guard>;
  readonly focus?: Focus;
};

/** The last minutes with traffic are sealed while the weather is still bad; before the first of them is due, sealers would find nothing. */
const SEALING_MS = { from: 15 * MINUTE_MS, until: 17 * MINUTE_MS };
/** The same, of the minutes that rows of a lease may lie in: it lives for ten more. */
const LEASES_MS = { from: 27 * MINUTE_MS, until: 29 * MINUTE_MS };
const EARLY_SEALING_MS = { from: 0, until: 3 * MINUTE_MS };
/** Long enough for every void marker, late call and pause to have its end. */
const CALM_MS = 2 * MINUTE_MS;
const ATTEMPTS_MAX = 12;
const RETRY_MS_MAX = 20_000;
const IMPATIENT_MS_MAX = 8_000;
/** Who has its answer may ask for it once more. */
const AGAIN_MS_MAX = 60_000;
const FUNCTION_STEPS_MAX = 600;
/** After the earliest start: some histories go on in the next month, some are in it as a whole. */
const STARTS_AFTER_MS = [0, 0, 0, 57 * MINUTE_MS, 58 * MINUTE_MS + 50_000];

/** One history from its seed: traffic, faults and kills, then calm; the month's end, which has faults and kills, too; and at last the question whether all promises were kept. */
export async function runHistory(seed: string, { ignored, focus = NO_FOCUS }: Settings = {}): Promise<History> {
  const seeded = await seededStore();
  const world = createWorld(seed, STARTS_AT_MS + (focus.leaning.startsAfterMs ?? createRandom(`${seed}/start`).pick(STARTS_AFTER_MS)));
  const plan = drawPlan(world.random.fork("plan"), seeded, focus.leaning);
  const store = createFakeDynamo({ tablePrefix: TABLE_PREFIX, ...(ignored === undefined ? {} : { ignored }) });
  fillStore(store, seeded, world.nowMs());
  const counts = { calls: 0, lostAnswers: 0, lostCalls: 0, late: 0, throttled: 0 };
  const scene: Scene = { world, store, bucket: new Map(), plan, counts, focus, machines: new Set(), state: firstState(plan) };
  const { attempts, gifts } = await serveTraffic(scene, seeded);
  const { troubles, deeds } = await endMonth(scene, seeded.operatorKey);
  const totals = await totalsOf(store, MONTHS);
  const violations = [...troubles, ...violationsOf({ attempts, gifts, deeds, store, bucket: scene.bucket, totals, plan })];
  return {
    seed,
    violations,
    attempts,
    guards: store.guards,
    counts: { ...counts, ...world.counts, ...countsOf(attempts), corrections: deeds.filter(({ outcome }) => outcome === "done").length },
    passedOver: store.passedOver(),
  };
}

async function serveTraffic(scene: Scene, { operatorKey }: Seeded): Promise<{ attempts: Attempt[]; gifts: Given[] }> {
  const { world, plan } = scene;
  if (plan.isTrafficCalm) calmDown(scene);
  const fleet = startParts(scene);
  for (const { atMs, weather } of plan.weathers) world.after(atMs, () => changeWeather(scene, weather));
  world.after(plan.trafficMs / 2, () => jumpTogether(scene));
  const giving = plan.gifts.map(async ({ atMs, gift }) => {
    await world.wait(atMs);
    return give(world, { fleet, gift, operatorKey });
  });
  const all = Promise.all([Promise.all(plan.orders.map((each) => place(scene, fleet, each))), Promise.all(giving)]);
  await world.runUntil(world.nowMs() + plan.trafficMs + (plan.isTrafficCalm ? 0 : sealingOf(plan).until));
  calmDown(scene);
  const [asked, gifts] = await finished(world, all);
  await world.runUntil(world.nowMs() + CALM_MS);
  return { attempts: asked.flat().map(attemptOf), gifts };
}

function countsOf(attempts: readonly Attempt[]) {
  const answered = attempts.filter(({ ending }) => ending === "answered");
  return {
    answered: answered.length,
    prepaid: answered.filter(({ order }) => order.tenant === PREPAID).length,
    outOfFunds: attempts.filter(({ status }) => status === 402).length,
  };
}

/** Answers the gateways; sealers come when there is something for them. */
function startParts(scene: Scene): Fleet {
  const { plan, world, state } = scene;
  if (!plan.areFunctionsLate) world.after(sealingOf(plan).from, () => state.phase === 0 && startFunctions(scene));
  return startFleet(scene);
}

function startFunctions(scene: Scene) {
  const { world, plan } = scene;
  const part = { killStepsMax: FUNCTION_STEPS_MAX, ended: () => {} };
  for (let place = 0; place < plan.sealerCount; place += 1) {
    const start: Part["start"] = (machine, link) =>
      startSealer(world, machine, { link, aheadMs: plan.sealersAheadMs, roundMsMax: plan.roundMsMax });
    keepRunning(scene, { ...part, name: `sealer ${place}`, start });
  }
  for (let place = 0; place < plan.accountantCount; place += 1) {
    const start: Part["start"] = (machine, link) => startAccountant(machine, { link, roundMsMax: plan.roundMsMax });
    keepRunning(scene, { ...part, name: `accountant ${place}`, start });
  }
}

function sealingOf({ sealersAheadMs, accountantCount }: Plan) {
  if (sealersAheadMs > 0) return EARLY_SEALING_MS;
  return accountantCount === 0 ? SEALING_MS : LEASES_MS;
}

/** An order is asked once, or with an Idempotency-Key again and again until it is answered, be it twice at once. */
async function place({ world, focus }: Scene, fleet: Fleet, { atMs, order }: Plan["orders"][number]): Promise<Asked[]> {
  await world.wait(atMs);
  const attempt = () => ask(world, world.random.pick(fleet), order);
  if (order.idempotencyKey === undefined) return [await attempt()];
  const askUntilAnswered = async (attemptsMax: number) => {
    const made: Asked[] = [];
    while (made.length < attemptsMax && made.at(-1)?.ending !== "answered") {
      if (made.length > 0) await world.wait(world.random.below(focus.leaning.retryMsMax ?? RETRY_MS_MAX));
      made.push(await attempt());
    }
    return made;
  };
  const askMeanwhile = async () => {
    await world.wait(world.random.below(IMPATIENT_MS_MAX));
    return askUntilAnswered(1);
  };
  const impatient = world.random.chance(focus.leaning.impatientShare ?? 0.3) ? [askMeanwhile()] : [];
  const patient = Array.from({ length: focus.leaning.callersOfKey ?? 1 }, () => askUntilAnswered(ATTEMPTS_MAX));
  const asked = (await Promise.all([...patient, ...impatient])).flat();
  if (!world.random.chance(focus.leaning.againShare ?? 0.5)) return asked;
  await world.wait(world.random.below(focus.leaning.retryMsMax ?? AGAIN_MS_MAX));
  return [...asked, await attempt()];
}
