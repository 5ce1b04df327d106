import { picoOf, roundDivide } from "../money.ts";
import type { UnroundedLine } from "./cell-lines.ts";
import { HOUR_MS, type PerSecond } from "./price-book.ts";
import { hoursOf, type MonthSpan, type Period, type PricePlan } from "./price-plan.ts";
import { type Part, partsOn, type Scale, scaleOf } from "./scale.ts";
import type { Histogram, SecondCounts } from "./second-counts.ts";

/** One model's seconds in one period. */
type Rates = {
  readonly period: Period;
  readonly key: Pick<UnroundedLine, "model" | "version" | "arm" | "tier" | "priceVersion">;
  /** One for each hour of the period. */
  readonly hours: readonly Histogram[];
  readonly whole: Histogram;
  /** The price of a month, for this part of it; rounded to pico-units. */
  readonly shareOf: (monthPico: bigint) => bigint;
  /** Empty if the period is the month. */
  readonly shareNote: string;
};

/**
 * Lines by requests per second. What is priced by the month (percentile, reserved rate) is counted in each revision's own seconds and costs its share of the
 * month, by its hours.
 */
export function rateLines(plan: PricePlan, seconds: ReadonlyMap<string, SecondCounts>): UnroundedLine[] {
  return plan.periods.flatMap((period) => {
    const models = new Set([...period.ratedModels, ...seconds.keys()]);
    return [...models].flatMap((model) => {
      const prices = period.perSecondOf(model);
      return prices === undefined ? [] : linesOf(prices, ratesOf(plan, period, { model, counts: seconds.get(model) }));
    });
  });
}

function linesOf({ peak, percentile, reserved }: PerSecond, rates: Rates): UnroundedLine[] {
  return [
    ...(peak === undefined ? [] : peakLines(peak, rates)),
    ...(percentile === undefined ? [] : percentileLine(percentile, rates)),
    ...(reserved === undefined ? [] : reservedLines(reserved, rates)),
  ];
}

function peakLines(peak: NonNullable<PerSecond["peak"]>, { key, hours, whole }: Rates): UnroundedLine[] {
  const scale = scaleOf(peak);
  const peaks = peak.of === "second" ? whole : histogramOf(hours.map((hour) => Math.max(0, ...hour.keys())));
  return [...partsOf(scale, peaks)].map(([note, part]) => ({
    ...key,
    component: "peakRate",
    quantity: part.quantity,
    unit: "request per second",
    note: [`peak of each ${peak.of}`, note].filter((each) => each !== "").join(", "),
    amountPico: part.amountPico,
  }));
}

/** Each peak is on the scale alone; what lies on one step of it, over all of them, is one part. In the order of steps. */
function partsOf(scale: Scale, peaks: Histogram): Map<string, Part> {
  const byNote = new Map<string, Part>(scale.steps.map(({ note }) => [note, { quantity: 0n, amountPico: 0n, note }]));
  for (const [requests, times] of peaks) {
    const quantity = BigInt(requests);
    for (const part of partsOn(scale, { from: 0n, quantity, total: quantity })) {
      const sum = byNote.get(part.note) ?? part;
      byNote.set(part.note, {
        ...part,
        quantity: sum.quantity + part.quantity * BigInt(times),
        amountPico: sum.amountPico + part.amountPico * BigInt(times),
      });
    }
  }
  return new Map([...byNote].filter(([, { quantity }]) => quantity > 0n));
}

/** Nearest rank: of n seconds in ascending order, the one at ⌈n·percentile/100⌉. */
function percentileLine({ percentile, silentSeconds, price }: NonNullable<PerSecond["percentile"]>, rates: Rates): UnroundedLine[] {
  const { key, whole, hours, shareOf, shareNote } = rates;
  const loud = [...whole.values()].reduce((sum, seconds) => sum + seconds, 0);
  const counted = silentSeconds === "count" ? (hours.length * HOUR_MS) / 1_000 : loud;
  const rank = Math.ceil((counted * percentile) / 100) - (counted - loud);
  const quantity = BigInt(atRank(whole, rank));
  if (quantity === 0n) return [];
  const note = `percentile ${percentile} of ${counted} seconds${shareNote}`;
  return [
    { ...key, component: "percentileRate", quantity, unit: "request per second", note, amountPico: shareOf(picoOf(price) * quantity) },
  ];
}

function atRank(histogram: Histogram, rank: number): number {
  let passed = 0;
  for (const [requests, seconds] of [...histogram].sort(([a], [b]) => a - b)) {
    passed += seconds;
    if (rank > 0 && passed >= rank) return requests;
  }
  return 0;
}

/** Due whether it is used or not; what lies above it is counted second by second. */
function reservedLines(reserved: NonNullable<PerSecond["reserved"]>, { key, whole, shareOf, shareNote }: Rates): UnroundedLine[] {
  const { requestsPerSecond, price, overage } = reserved;
  const above = [...whole].reduce(
    (sum, [requests, seconds]) => sum + BigInt(Math.max(0, requests - requestsPerSecond)) * BigInt(seconds),
    0n,
  );
  const quantity = BigInt(requestsPerSecond);
  const note = `reserved${shareNote}`;
  const fixed: UnroundedLine = {
    ...key,
    component: "reservedRate",
    quantity,
    unit: "request per second",
    note,
    amountPico: shareOf(picoOf(price) * quantity),
  };
  if (above === 0n) return [fixed];
  const over = { quantity: above, unit: "request", note: `above ${requestsPerSecond} in a second`, amountPico: picoOf(overage) * above };
  return [fixed, { ...key, component: "rateOverage", ...over }];
}

function ratesOf(month: MonthSpan, period: Period, { model, counts }: { model: string; counts: SecondCounts | undefined }): Rates {
  const first = (period.fromMs - month.fromMs) / HOUR_MS;
  const hours = Array.from({ length: hoursOf(period) }, (_, place) => counts?.histogramOf(first + place) ?? new Map<number, number>());
  const [hoursIn, hoursAll] = [hoursOf(period), hoursOf(month)];
  return {
    period,
    key: { model, version: null, arm: null, tier: null, priceVersion: period.revision },
    hours,
    whole: sumOf(hours),
    shareOf: (monthPico) => roundDivide(monthPico * BigInt(hoursIn), BigInt(hoursAll)),
    shareNote: hoursIn === hoursAll ? "" : `, ${hoursIn} of ${hoursAll} hours`,
  };
}

function sumOf(hours: readonly Histogram[]): Histogram {
  const sum = new Map<number, number>();
  for (const hour of hours) for (const [requests, seconds] of hour) sum.set(requests, (sum.get(requests) ?? 0) + seconds);
  return sum;
}

function histogramOf(counts: readonly number[]): Histogram {
  const histogram = new Map<number, number>();
  for (const count of counts) if (count > 0) histogram.set(count, (histogram.get(count) ?? 0) + 1);
  return histogram;
}
