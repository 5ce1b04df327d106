import { HOUR_MS } from "./price-book.ts";
import { hoursOf, type MonthSpan } from "./price-plan.ts";

const SECONDS_PER_HOUR = 3_600;

/** How many seconds had how many requests. Seconds without any are not in it. */
export type Histogram = ReadonlyMap<number, number>;

/** One model's requests in each second of a month: at most 11 MB, whatever the number of rows. */
export type SecondCounts = {
  readonly add: (hour: number, atMs: number) => void;
  readonly addCounts: (hour: number, seconds: { readonly fromMs: number; readonly counts: readonly number[] }) => void;
  readonly addHistogram: (hour: number, seconds: readonly (readonly [requests: number, seconds: number])[]) => void;
  /** Of one hour, counted from the month's start. */
  readonly histogramOf: (hour: number) => Histogram;
};

export function createSecondCounts(month: MonthSpan): SecondCounts {
  const hours: (Uint32Array | undefined)[] = new Array(hoursOf(month)).fill(undefined);
  const histograms = new Map<number, Map<number, number>>();

  const secondsIn = (hour: number): Uint32Array => {
    const there = hours[hour];
    if (there !== undefined) return there;
    const made = new Uint32Array(SECONDS_PER_HOUR);
    hours[hour] = made;
    return made;
  };
  const secondAt = (hour: number, atMs: number) => Math.floor((atMs - month.fromMs - hour * HOUR_MS) / 1_000);

  return {
    add(hour, atMs) {
      const seconds = secondsIn(hour);
      const second = secondAt(hour, atMs);
      seconds[second] = (seconds[second] ?? 0) + 1;
    },
    addCounts(hour, { fromMs, counts }) {
      const seconds = secondsIn(hour);
      const first = secondAt(hour, fromMs);
      if (first + counts.length > SECONDS_PER_HOUR) throw new Error("counts of seconds run into the next hour");
      for (const [place, count] of counts.entries()) seconds[first + place] = (seconds[first + place] ?? 0) + count;
    },
    addHistogram(hour, seconds) {
      if (histograms.has(hour)) throw new Error("an hour has one histogram, over all shards: counts of the same second add up");
      histograms.set(hour, new Map(seconds.filter(([requests]) => requests > 0)));
    },
    histogramOf: (hour) => merged(histograms.get(hour), hours[hour]),
  };
}

function merged(histogram: Histogram | undefined, seconds: Uint32Array | undefined): Histogram {
  if (seconds === undefined) return histogram ?? new Map();
  if (histogram !== undefined) throw new Error("an hour has its seconds or their histogram, not both");
  const counted = new Map<number, number>();
  for (const requests of seconds) if (requests > 0) counted.set(requests, (counted.get(requests) ?? 0) + 1);
  return counted;
}
