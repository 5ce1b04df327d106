import type { Period, PeriodKind } from "../period.ts";
import { SECONDS_PER_MINUTE, type TenantSeal } from "../seals/seal.ts";
import type { ModelSeconds, Total } from "../seals/sealed.ts";
import { compareTexts, type Summing, startSumming } from "../sums.ts";

/** Totals of one hour of all tenants, from its seals: they come by minute, and of a minute in whatever order. */
export type HourTotalling = {
  readonly add: (minute: string, tenants: readonly TenantSeal[]) => void;
  /** A tenant that was there and is no more, since all its rows were voided, has a total of nothing. */
  readonly mention: (tenant: string) => void;
  readonly finish: () => Total[];
};

type Histogram = Map<number, number>;
type OpenTotal = { readonly sums: Summing; readonly models: Map<string, OpenModel> };
/** `counts` are the minute's that is being added up: only when all its shards are in is a second's count known. */
type OpenModel = { readonly histogram: Histogram; readonly counts: number[] };

export function startHourTotals(hour: string): HourTotalling {
  const open = new Map<string, OpenTotal>();
  let current = "";
  return {
    add(minute, tenants) {
      if (minute < current) throw new Error(`seals of an hour come by minute: ${minute} after ${current}`);
      if (minute !== current) foldMinute(open);
      current = minute;
      for (const tenant of tenants) addSeal(openOf(open, tenant.tenant), tenant);
    },
    mention: (tenant) => void openOf(open, tenant),
    finish() {
      foldMinute(open);
      const period: Period = { kind: "hour", name: hour };
      return [...open].map(([tenant, { sums, models }]) => ({ tenant, period, sums: sums.list(), seconds: secondsOf(models) }));
    },
  };
}

/** The total of a longer period from those of the shorter ones in it, which have no second in common. */
export function mergeTotals(tenant: string, period: { kind: PeriodKind; name: string }, parts: readonly Total[]): Total {
  const sums = startSumming();
  const models = new Map<string, { histogram: Histogram }>();
  for (const part of parts) {
    for (const sum of part.sums) sums.add(sum);
    for (const { model, histogram } of part.seconds) {
      const known = models.get(model) ?? { histogram: new Map() };
      models.set(model, known);
      for (const [requests, seconds] of histogram) increase(known.histogram, requests, seconds);
    }
  }
  return { tenant, period, sums: sums.list(), seconds: secondsOf(models) };
}

function openOf(open: Map<string, OpenTotal>, tenant: string): OpenTotal {
  const known = open.get(tenant) ?? { sums: startSumming(), models: new Map() };
  open.set(tenant, known);
  return known;
}

function addSeal({ sums, models }: OpenTotal, seal: TenantSeal) {
  for (const sum of seal.sums) sums.add(sum);
  for (const { model, counts } of seal.perSecond) {
    const known = models.get(model) ?? { histogram: new Map(), counts: new Array<number>(SECONDS_PER_MINUTE).fill(0) };
    models.set(model, known);
    for (const [second, count] of counts.entries()) known.counts[second] = (known.counts[second] ?? 0) + count;
  }
}

function foldMinute(open: ReadonlyMap<string, OpenTotal>) {
  for (const { models } of open.values()) {
    for (const { histogram, counts } of models.values()) {
      for (const count of counts) if (count > 0) increase(histogram, count, 1);
      counts.fill(0);
    }
  }
}

function increase(histogram: Histogram, requests: number, seconds: number) {
  histogram.set(requests, (histogram.get(requests) ?? 0) + seconds);
}

function secondsOf(models: ReadonlyMap<string, { readonly histogram: Histogram }>): ModelSeconds[] {
  const list = [...models].map(([model, { histogram }]) => ({ model, histogram: [...histogram].sort(([a], [b]) => a - b) }));
  return list.sort((a, b) => compareTexts(a.model, b.model));
}
