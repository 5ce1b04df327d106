import { SEAL_AFTER_MS } from "../../functions/sealer/sealer.ts";
import { MINUTE_MS } from "../../shared/usage/period.ts";
import type { Random } from "../harness/random.ts";
import type { Order } from "./caller.ts";
import { type Seeded, TENANTS } from "./seed-store.ts";
import { CALM, type Weather } from "./store-link.ts";
import type { ClockError } from "./world.ts";

/** What a history will bring, drawn before it begins. */
export type Plan = {
  readonly gatewayCount: number;
  readonly sealerCount: number;
  /** How far the sealers are ahead without seeing it, for the store tells them no time. */
  readonly sealersAheadMs: number;
  readonly trafficMs: number;
  readonly orders: readonly { readonly atMs: number; readonly order: Order }[];
  /** When the weather changes, and to what. */
  readonly weathers: readonly { readonly atMs: number; readonly weather: Weather }[];
};

const ORDERS_MAX = 14;
const CLOCK_ERRORS_MS = [...Array.from({ length: 24 }, () => 20), 2_000, 28_000, 45_000, 3_600_000, 40 * 3_600_000];

export function drawPlan(random: Random, seeded: Seeded): Plan {
  const trafficMs = random.pick([5_000, 30_000, 150_000]);
  const shares = { streamShare: random.pick([0.2, 0.5, 1]), keyedShare: random.pick([0, 0.4, 1]) };
  const count = 3 + random.below(ORDERS_MAX);
  return {
    gatewayCount: 1 + random.below(3),
    sealerCount: 1 + random.below(2),
    sealersAheadMs: random.chance(0.5) ? 0 : SEAL_AFTER_MS + random.below(3 * MINUTE_MS),
    trafficMs,
    orders: Array.from({ length: count }, (_, number) => ({
      atMs: random.below(trafficMs),
      order: drawOrder(random, seeded, { number, ...shares }),
    })),
    weathers: drawWeathers(random, trafficMs),
  };
}

type Shares = { readonly streamShare: number; readonly keyedShare: number };

function drawOrder(random: Random, { keys }: Seeded, { number, streamShare, keyedShare }: Shares & { number: number }): Order {
  const tenant = random.pick(TENANTS);
  const isStream = random.chance(streamShare);
  const prompt = `request ${number} ${random.below(1e9)}`;
  const body = isStream ? { model: "smol", prompt, stream: true, max_tokens: 1 + random.below(300) } : { model: "minilm", input: prompt };
  return {
    tenant,
    key: keys[tenant],
    path: isStream ? "/v1/completions" : "/v1/embeddings",
    body: JSON.stringify(body),
    idempotencyKey: random.chance(keyedShare) ? `key of ${prompt}` : undefined,
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
  if (random.chance(0.05)) return { ...rough, lostCall: 1 };
  // Long enough a delay, and a call comes when its caller has done the next thing already.
  if (random.chance(0.25)) return { ...rough, late: 0.3 + 0.5 * random.next() };
  return random.chance(0.08) ? { ...rough, lostAnswer: 0.9 } : { ...CALM, ...rough };
}

/** Most clocks are a little wrong; some as wrong as the guard allows, and some beyond. */
export function drawClockError(random: Random): ClockError {
  const offsetMs = random.pick(CLOCK_ERRORS_MS);
  const sign = random.chance(0.5) ? 1 : -1;
  return { offsetMs: sign * random.below(offsetMs), driftPpm: random.chance(0.2) ? sign * random.below(2_000) : 0 };
}
