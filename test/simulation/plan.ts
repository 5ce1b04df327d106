import { SEAL_AFTER_MS } from "../../functions/sealer/sealer.ts";
import { HOUR_MS, MINUTE_MS } from "../../shared/usage/period.ts";
import type { Random } from "../harness/random.ts";
import type { Order } from "./caller.ts";
import { drawAdjusting, drawDeeds, type Planned } from "./deeds.ts";
import type { Leaning } from "./focus.ts";
import type { Gift } from "./gifts.ts";
import { MONTH, NEXT_MONTH } from "./months.ts";
import { PREPAID, type Seeded, TENANTS } from "./seed-store.ts";
import { CALM, type Weather } from "./store-link.ts";
import type { ClockError } from "./world.ts";

/** What a history will bring, drawn before it begins. */
export type Plan = {
  readonly gatewayCount: number;
  readonly sealerCount: number;
  readonly accountantCount: number;
  readonly invoicerCount: number;
  /** Whether there are drafts before the month can be closed. */
  readonly hasDrafts: boolean;
  /** How far the sealers are ahead without seeing it, for the store tells them no time. */
  readonly sealersAheadMs: number;
  /** Nothing goes wrong in that part. */
  readonly isTrafficCalm: boolean;
  readonly isMonthEndCalm: boolean;
  readonly trafficMs: number;
  /** How long after the month can be closed it is; below zero before that. */
  readonly closesLateMs: number;
  /** Functions were off until then, and have everything to do. */
  readonly areFunctionsLate: boolean;
  /** Rounds of theirs are told to end after so long. */
  readonly roundMsMax: number;
  /** Only the steps in focus go wrong, and nobody dies. */
  readonly isFair: boolean;
  readonly orders: readonly { readonly atMs: number; readonly order: Order }[];
  /** What the prepaid tenant is given, and what is taken from it. */
  readonly gifts: readonly { readonly atMs: number; readonly gift: Gift }[];
  /** What operators do to drafts of the month before it is closed, and to its invoices when they are issued. */
  readonly adjusting: readonly Planned[];
  readonly deeds: readonly Planned[];
  /** When the weather changes, and to what. */
  readonly weathers: readonly { readonly atMs: number; readonly weather: Weather }[];
};

const ORDERS_MAX = 14;
const DEEDS_MAX = 10;
const ADJUSTED_MAX = 3;
const TOKENS_MAX = 300;
const CLOCK_ERRORS_MS = [...Array.from({ length: 24 }, () => 20), 2_000, 28_000, 45_000, 3_600_000, 40 * 3_600_000];

/** So long rounds of functions take at most. */
const ROUND_MS_MAX = 10 * MINUTE_MS;

export function drawPlan(random: Random, seeded: Seeded, leaning: Leaning): Plan {
  const functions = random.fork("functions");
  const areFunctionsLate = leaning.areFunctionsLate ?? functions.chance(0.1);
  const trafficMs = leaning.trafficMs ?? random.pick([5_000, 30_000, 150_000]);
  const shares = {
    streamShare: leaning.streamShare ?? random.pick([0.2, 0.5, 1]),
    keyedShare: leaning.keyedShare ?? random.pick([0, 0.4, 1]),
    prepaidShare: leaning.prepaidShare ?? random.pick([0, 0.5, 1]),
  };
  const count = leaning.orderCount ?? 3 + random.below(ORDERS_MAX);
  const plan = {
    gatewayCount: leaning.gatewayCount ?? 1 + random.below(3),
    sealerCount: leaning.sealerCount ?? 1 + random.below(2),
    accountantCount: shares.prepaidShare === 0 ? 0 : (leaning.accountantCount ?? 1 + random.below(2)),
    invoicerCount: leaning.invoicerCount ?? 1 + random.below(3),
    hasDrafts: leaning.hasDrafts ?? random.chance(0.3),
    sealersAheadMs: leaning.sealersAheadMs ?? (random.chance(0.5) ? 0 : SEAL_AFTER_MS + random.below(3 * MINUTE_MS)),
    trafficMs,
    // Leases of the last hour are audited a second time two hours later than the month.
    closesLateMs: areFunctionsLate
      ? (leaning.closesLateMs ?? functions.pick([-MINUTE_MS / 2, 0, HOUR_MS, 2 * HOUR_MS]))
      : (leaning.closesLateMs ?? (shares.prepaidShare === 0 ? 0 : random.pick([0, HOUR_MS, 2 * HOUR_MS])) + random.below(30 * MINUTE_MS)),
    orders: Array.from({ length: count }, (_, number) => ({
      atMs: random.below(trafficMs),
      order: drawOrder(random, seeded, { number, ...shares, tokensMax: leaning.tokensMax ?? TOKENS_MAX }),
    })),
    gifts: shares.prepaidShare === 0 ? [] : drawGifts(random, trafficMs),
    weathers: leaning.isTrafficCalm === true ? [] : drawWeathers(random, trafficMs),
    isTrafficCalm: leaning.isTrafficCalm === true,
    isMonthEndCalm: leaning.isMonthEndCalm === true,
    areFunctionsLate,
    roundMsMax: leaning.roundMsMax ?? functions.pick([ROUND_MS_MAX, ROUND_MS_MAX, ROUND_MS_MAX, 20_000, 4_000]),
    isFair: leaning.isFair === true,
  };
  return { ...plan, ...drawOperators(random.fork("operators"), plan, leaning) };
}

function drawOperators(
  random: Random,
  { hasDrafts, isMonthEndCalm, orders }: Pick<Plan, "hasDrafts" | "isMonthEndCalm" | "orders">,
  { deedCount }: Leaning,
): Pick<Plan, "adjusting" | "deeds"> {
  const count = deedCount ?? (!isMonthEndCalm && random.chance(0.4) ? 2 + random.below(DEEDS_MAX) : 0);
  const tenants = [...new Set(orders.map(({ order }) => order.tenant))];
  const months = { of: MONTH, next: NEXT_MONTH };
  return {
    adjusting: hasDrafts && count > 0 ? drawAdjusting(random, MONTH, { tenants, count: ADJUSTED_MAX, withinMs: MINUTE_MS }) : [],
    deeds: drawDeeds(random, months, { tenants, count, withinMs: 2 * MINUTE_MS }),
  };
}

type Shares = { readonly streamShare: number; readonly keyedShare: number; readonly prepaidShare: number; readonly tokensMax: number };

function drawOrder(
  random: Random,
  { keys }: Seeded,
  { number, streamShare, keyedShare, prepaidShare, tokensMax }: Shares & { number: number },
): Order {
  const tenant = random.chance(prepaidShare) ? PREPAID : random.pick(POSTPAID);
  const isStream = random.chance(streamShare);
  const prompt = `request ${number} ${random.below(1e9)}`;
  const body = isStream
    ? { model: "smol", prompt, stream: true, max_tokens: 1 + random.below(tokensMax) }
    : { model: "minilm", input: prompt };
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

const POSTPAID = TENANTS.filter((tenant) => tenant !== PREPAID);
const GIFTS_MAX = 4;
/** A request costs 0.02 to 0.6 at most: some are refused, and some balances never come near their end. */
const AMOUNTS = ["0.3", "0.9", "2.5", "7", "40"];
const LIVES_MS = [undefined, undefined, 3 * MINUTE_MS, 20 * MINUTE_MS, 20 * HOUR_MS];

function drawGifts(random: Random, trafficMs: number) {
  const count = 1 + random.below(GIFTS_MAX);
  return Array.from({ length: count }, (_, number) => {
    const isTaking = number > 0 && random.chance(0.2);
    const gift: Gift = {
      id: `gift-${number}`,
      amount: isTaking ? "-0.2" : random.pick(AMOUNTS),
      livesMs: isTaking ? undefined : random.pick(LIVES_MS),
      priority: random.pick([10, 50, 50]),
    };
    return { atMs: number === 0 && random.chance(0.7) ? 0 : random.below(trafficMs), gift };
  });
}

function drawWeathers(random: Random, trafficMs: number) {
  const changes = 1 + random.below(4);
  const some = () => ({ atMs: random.below(trafficMs), weather: drawWeather(random) });
  return [{ atMs: 0, weather: drawWeather(random) }, ...Array.from({ length: changes }, some)];
}

export function drawWeather(random: Random): Weather {
  const most = random.pick([0, 0.03, 0.15]);
  const share = () => random.next() * most;
  const rough = { throttled: share(), lostCall: share(), lostAnswer: share(), failed: share(), late: share(), partial: 4 * share() };
  if (random.chance(0.05)) return { ...rough, lostCall: 1 };
  // Long enough a delay, and a call comes when its caller has done the next thing already.
  if (random.chance(0.25)) return { ...rough, late: 0.3 + 0.5 * random.next() };
  return random.chance(0.08) ? { ...rough, lostAnswer: 0.9 } : { ...CALM, ...rough };
}

/** Most clocks are a little wrong; some as wrong as the guard allows, and some beyond. */
export function drawClockError(random: Random, { clockErrorMs }: Leaning = {}): ClockError {
  if (clockErrorMs !== undefined) return { offsetMs: random.chance(0.5) ? clockErrorMs : -clockErrorMs, driftPpm: 0 };
  const offsetMs = random.pick(CLOCK_ERRORS_MS);
  const sign = random.chance(0.5) ? 1 : -1;
  return { offsetMs: sign * random.below(offsetMs), driftPpm: random.chance(0.2) ? sign * random.below(2_000) : 0 };
}
