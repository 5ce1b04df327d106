import type { UsageReader } from "../ledger/ledger.ts";
import { HOUR_MS, rangeOf, type TimeRange } from "../period.ts";
import type { SealReader, TotalReader } from "../seals/sealed.ts";
import { compareUsageSums, type UsageSum } from "./report.ts";

/** What a tenant has used, and how far that can change yet. */
export type Figures = {
  readonly sums: readonly UsageSum[];
  /** Everything accepted before this is in the sums and stays as it is, but for what a re-audit finds. */
  readonly completeToMs: number;
  /** Closed minutes × shards of the hours that the range touches. */
  readonly sealed: number;
  readonly of: number;
  /** Those of its hours that are not closed yet. */
  readonly openHours: readonly OpenHour[];
};
export type OpenHour = { readonly hour: string; readonly sealed: number; readonly of: number };

export type UsageFigures = { readonly read: (tenant: string, range: TimeRange) => Promise<Figures> };

/** Of hours that are not closed, the last ones are read row by row: so many, whatever is asked for. Of earlier ones, totals say what is closed. */
export const OPEN_HOURS_READ_MAX = 24;

type Source = { readonly rows: UsageReader; readonly seals: Pick<SealReader, "hours" | "firstUnsealed">; readonly totals: TotalReader };
type Hour = OpenHour & { readonly span: TimeRange; readonly isWhole: boolean };

/** Figures from totals where hours are closed, and straight from rows for the rest. */
export function createUsageFigures(source: Source): UsageFigures {
  return { read: (tenant, range) => read(source, tenant, range) };
}

async function read({ rows, seals, totals }: Source, tenant: string, range: TimeRange): Promise<Figures> {
  // Asked first: a total is there before its hour is said to be closed.
  const hours = (await seals.hours(range)).map((hour) => hourIn(range, hour));
  const unsealed = await seals.firstUnsealed(range);
  const { byRow, byTotal } = waysOf(hours);
  const sums = new Map<string, UsageSum>();
  for (const span of joined(byRow.map((hour) => hour.span))) for (const sum of await rows.read(tenant, span)) add(sums, sum);
  if (byTotal.size > 0) {
    for await (const { period, sums: parts } of totals.totals(tenant, "hour", range)) {
      if (byTotal.has(period.name)) for (const part of parts) add(sums, { ...part, hour: period.name });
    }
  }
  return {
    sums: [...sums.values()].sort(compareUsageSums),
    completeToMs: unsealed === undefined ? range.toMs : Math.max(range.fromMs, Date.parse(`${unsealed.minute}Z`)),
    sealed: hours.reduce((sum, { sealed }) => sum + sealed, 0),
    of: hours.reduce((sum, { of }) => sum + of, 0),
    openHours: hours.filter(({ sealed, of }) => sealed < of).map(({ hour, sealed, of }) => ({ hour, sealed, of })),
  };
}

function hourIn(range: TimeRange, { hour, sealed, of }: OpenHour): Hour {
  const whole = rangeOf({ kind: "hour", name: hour });
  const span = { fromMs: Math.max(whole.fromMs, range.fromMs), toMs: Math.min(whole.toMs, range.toMs) };
  return { hour, sealed, of, span, isWhole: span.toMs - span.fromMs === HOUR_MS };
}

/** Row by row: the range's ends if they cut an hour, and the last of the open hours. */
function waysOf(hours: readonly Hour[]): { byRow: Hour[]; byTotal: ReadonlySet<string> } {
  const isOpen = ({ sealed, of }: Hour) => sealed < of;
  const lastOpen = new Set(hours.filter(isOpen).slice(-OPEN_HOURS_READ_MAX));
  const byRow = hours.filter((hour) => (isOpen(hour) ? lastOpen.has(hour) : !hour.isWhole));
  const rest = hours.filter((hour) => !byRow.includes(hour) && hour.isWhole);
  return { byRow, byTotal: new Set(rest.map(({ hour }) => hour)) };
}

/** Spans that touch are read as one. */
function joined(spans: readonly TimeRange[]): TimeRange[] {
  const list: TimeRange[] = [];
  for (const span of spans) {
    const last = list.at(-1);
    if (last?.toMs === span.fromMs) list[list.length - 1] = { fromMs: last.fromMs, toMs: span.toMs };
    else list.push(span);
  }
  return list;
}

function add(sums: Map<string, UsageSum>, { hour, model, version, arm, ...counts }: UsageSum) {
  const key = JSON.stringify([hour, model, version, arm]);
  const known = sums.get(key) ?? { requests: 0, inputs: 0, inputTokens: 0, outputTokens: 0, computeMs: 0 };
  sums.set(key, {
    ...{ hour, model, version, arm },
    requests: known.requests + counts.requests,
    inputs: known.inputs + counts.inputs,
    inputTokens: known.inputTokens + counts.inputTokens,
    outputTokens: known.outputTokens + counts.outputTokens,
    computeMs: known.computeMs + counts.computeMs,
  });
}
