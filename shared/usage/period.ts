import { minuteOf, type ShardSchedule, shardCountAt } from "./row.ts";

export const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;

/**
 * A stretch of UTC time that totals are kept for, by its own name, which sorts as time does: `2026-11-23T19`, `2026-11-23` or `2026-11`.
 * UTC has no daylight saving, so every hour has 60 minutes and every day 24 hours.
 */
export type Period = { readonly kind: PeriodKind; readonly name: string };
export type PeriodKind = "hour" | "day" | "month";

/** [fromMs, toMs), milliseconds since the epoch. */
export type TimeRange = { readonly fromMs: number; readonly toMs: number };

/** One minute and shard of the ledger. */
export type Bucket = { readonly minute: string; readonly shard: number };

const NAME_LENGTH = { hour: 13, day: 10, month: 7 } as const satisfies Record<PeriodKind, number>;
const LENGTH_MS = { hour: HOUR_MS, day: DAY_MS } as const;
/** What a shorter name lacks of an instant. */
const EPOCH = "0000-01-01T00:00:00.000Z";

export function periodAt(kind: PeriodKind, atMs: number): Period {
  return { kind, name: new Date(atMs).toISOString().slice(0, NAME_LENGTH[kind]) };
}

export function rangeOf({ kind, name }: Period): TimeRange {
  const fromMs = startOf(name);
  if (kind === "hour") return { fromMs, toMs: fromMs + HOUR_MS };
  if (kind === "day") return { fromMs, toMs: fromMs + DAY_MS };
  const start = new Date(fromMs);
  return { fromMs, toMs: Date.UTC(start.getUTCFullYear(), start.getUTCMonth() + 1, 1) };
}

/** When a minute, hour, day or month begins, from its name. */
export function startOf(name: string): number {
  const atMs = Date.parse(name + EPOCH.slice(name.length));
  if (Number.isNaN(atMs)) throw new Error(`'${name}' names no minute, hour, day or month`);
  return atMs;
}

/** The hours, days or months that a range touches, in order. */
export function* periodsIn(kind: PeriodKind, { fromMs, toMs }: TimeRange): Generator<Period> {
  for (let atMs = fromMs; atMs < toMs; ) {
    const period = periodAt(kind, atMs);
    yield period;
    // Reading a name is dearer than counting, and a month has more than seven hundred hours.
    atMs = kind === "month" ? rangeOf(period).toMs : atMs - (atMs % LENGTH_MS[kind]) + LENGTH_MS[kind];
  }
}

/** The minutes that a range touches, in order. */
export function* minutesIn({ fromMs, toMs }: TimeRange): Generator<string> {
  for (let atMs = fromMs - (fromMs % MINUTE_MS); atMs < toMs; atMs += MINUTE_MS) yield new Date(atMs).toISOString().slice(0, 16);
}

/** How many buckets the minutes of a range have. */
export function bucketCountOf(range: TimeRange, schedule: ShardSchedule): number {
  const { fromMs, toMs } = range;
  const last = schedule.at(-1);
  // The last entry says it of every minute from its own on: then nobody has to go through a month of them.
  if (last !== undefined && last.fromMinute <= minuteOf(fromMs))
    return (Math.ceil(toMs / MINUTE_MS) - Math.floor(fromMs / MINUTE_MS)) * last.shardCount;
  let count = 0;
  for (const minute of minutesIn(range)) count += shardCountAt(schedule, minute);
  return count;
}
