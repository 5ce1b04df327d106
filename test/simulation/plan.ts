import type { Random } from "../harness/random.ts";
import type { Order } from "./caller.ts";
import { type Seeded, TENANTS } from "./seed-store.ts";
import { CALM, type Weather } from "./store-link.ts";
import type { ClockError } from "./world.ts";

/** What a history will bring, drawn before it begins. */
export type Plan = {
  readonly gatewayCount: number;
  readonly trafficMs: number;
  readonly orders: readonly { readonly atMs: number; readonly order: Order }[];
  /** When the weather changes, and to what. */
  readonly weathers: readonly { readonly atMs: number; readonly weather: Weather }[];
};

const ORDERS_MAX = 14;

export function drawPlan(random: Random, seeded: Seeded): Plan {
  const trafficMs = random.pick([5_000, 30_000, 150_000]);
  const count = 3 + random.below(ORDERS_MAX);
  return {
    gatewayCount: 1 + random.below(3),
    trafficMs,
    orders: Array.from({ length: count }, (_, number) => ({ atMs: random.below(trafficMs), order: drawOrder(random, seeded, number) })),
    weathers: drawWeathers(random, trafficMs),
  };
}

function drawOrder(random: Random, { keys }: Seeded, number: number): Order {
  const tenant = random.pick(TENANTS);
  const isStream = random.chance(0.4);
  const prompt = `request ${number} ${random.below(1e9)}`;
  const body = isStream ? { model: "smol", prompt, stream: true, max_tokens: 1 + random.below(300) } : { model: "minilm", input: prompt };
  return {
    tenant,
    key: keys[tenant],
    path: isStream ? "/v1/completions" : "/v1/embeddings",
    body: JSON.stringify(body),
    headers: {},
    isStream,
    ...(random.chance(0.15) ? { leavesAfterMs: random.below(8_000) } : {}),
    readingMs: random.pick([1, 5, 40, 40, 3_000]),
  };
}

function drawWeathers(random: Random, trafficMs: number) {
  const changes = 1 + random.below(4);
  const some = () => ({ atMs: random.below(trafficMs), weather: drawWeather(random) });
  return [{ atMs: 0, weather: drawWeather(random) }, ...Array.from({ length: changes }, some)];
}

function drawWeather(random: Random): Weather {
  const most = random.pick([0, 0.03, 0.15]);
  const share = () => random.next() * most;
  const rough = { throttled: share(), lostCall: share(), lostAnswer: share(), failed: share(), late: share(), partial: 4 * share() };
  if (random.chance(0.1)) return { ...rough, lostCall: 1 };
  return random.chance(0.1) ? { ...rough, lostAnswer: 0.9 } : { ...CALM, ...rough };
}

/** Most clocks are a little wrong; some as wrong as the guard allows, and some beyond. */
export function drawClockError(random: Random): ClockError {
  const offsetMs = random.pick([20, 20, 20, 2_000, 28_000, 45_000, 3_600_000, 40 * 3_600_000]);
  const sign = random.chance(0.5) ? 1 : -1;
  return { offsetMs: sign * random.below(offsetMs), driftPpm: random.chance(0.2) ? sign * random.below(2_000) : 0 };
}
