import type { Tier } from "../../usage/row.ts";
import type { Currency } from "../currency.ts";
import { picoOf } from "../money.ts";
import { HOUR_MS, type PerSecond, type PriceBook, type PriceEntry, type PriceRevision } from "./price-book.ts";
import { type Scale, scaleOf } from "./scale.ts";

/** An entry ready to rate with. */
export type EntryPlan = {
  readonly entry: PriceEntry;
  readonly requests: Scale | undefined;
  readonly inputTokens: Scale | undefined;
  readonly outputTokens: Scale | undefined;
  readonly computeMs: Readonly<Record<Tier, Scale | undefined>>;
  readonly minimumPico: bigint;
};

/** The most specific entry: of the version, else of the model, else the default. */
export type EntryOf = (model: string, version?: number) => EntryPlan | undefined;

/** One revision's part of a month, in whole hours. */
export type Period = {
  readonly revision: number;
  readonly fromMs: number;
  readonly toMs: number;
  readonly commitmentPico: bigint;
  readonly entries: readonly EntryPlan[];
  readonly entryOf: EntryOf;
  /** By requests per second, which are counted for a model and not for its versions. */
  readonly perSecondOf: (model: string) => PerSecond | undefined;
  /** The models that have rates of their own, whether they are used or not. */
  readonly ratedModels: readonly string[];
};

export type MonthSpan = { readonly fromMs: number; readonly toMs: number };

/** What prices a month: its periods in order. Hours before the book's first revision belong to none. */
export type PricePlan = MonthSpan & { readonly currency: Currency; readonly periods: readonly Period[] };

/** From the first instant of a UTC month, such as `2026-11`, to that of the next. */
export function monthSpan(month: string): MonthSpan {
  if (!/^\d{4}-(0[1-9]|1[0-2])$/.test(month)) throw new Error(`'${month}' is not a month such as 2026-11`);
  const [year = 0, number = 0] = month.split("-").map(Number);
  return { fromMs: Date.UTC(year, number - 1), toMs: Date.UTC(year, number) };
}

/** Lays a book's revisions, in their order, over a month. */
export function planMonth(book: readonly PriceRevision[], month: string): PricePlan {
  const span = monthSpan(month);
  const [first] = book;
  if (first === undefined) throw new Error("a price book has at least one revision");
  const periods: Period[] = [];
  for (const [place, each] of book.entries()) {
    const next = book[place + 1];
    if (each.body.currency !== first.body.currency) throw new Error(`the book ${first.body.name} changes its currency`);
    const [startMs, endMs] = [effectiveMs(each), next === undefined ? span.toMs : effectiveMs(next)];
    // One that begins when the next does was corrected before it was in force, and prices nothing.
    if (next !== undefined && endMs < startMs) throw new Error(`the book ${first.body.name} goes back in time`);
    const [fromMs, toMs] = [Math.max(startMs, span.fromMs), Math.min(endMs, span.toMs)];
    if (fromMs < toMs) periods.push(periodOf(each, { fromMs, toMs }));
  }
  return { ...span, currency: first.body.currency, periods };
}

export function effectiveMs({ body }: PriceRevision): number {
  return Date.parse(body.effectiveFrom);
}

/** A revision's entries, ready to look up. */
export function planEntries(body: PriceBook): { readonly entries: readonly EntryPlan[]; readonly entryOf: EntryOf } {
  const entries = body.entries.map(planEntry);
  const byName = new Map(entries.map((each) => [nameOf(each.entry.model, each.entry.version), each]));
  return { entries, entryOf: (model, version) => byName.get(nameOf(model, version)) ?? byName.get(nameOf(model)) ?? byName.get(nameOf()) };
}

function planEntry(entry: PriceEntry): EntryPlan {
  const { perRequest, per1000InputTokens, per1000OutputTokens, perComputeMs = {}, minimumPerRequest } = entry;
  const [perOne, per1000] = [scaled(1n), scaled(1000n)];
  const { edge, cpu, gpu, upstream } = perComputeMs;
  return {
    entry,
    requests: perOne(perRequest),
    inputTokens: per1000(per1000InputTokens),
    outputTokens: per1000(per1000OutputTokens),
    computeMs: { edge: perOne(edge), cpu: perOne(cpu), gpu: perOne(gpu), upstream: perOne(upstream) },
    minimumPico: minimumPerRequest === undefined ? 0n : picoOf(minimumPerRequest),
  };
}

export function hoursOf({ fromMs, toMs }: MonthSpan): number {
  return (toMs - fromMs) / HOUR_MS;
}

function periodOf({ revision, body }: PriceRevision, span: MonthSpan): Period {
  const { entries, entryOf } = planEntries(body);
  const commitmentPico = body.commitment === undefined ? 0n : picoOf(body.commitment);
  const ratedModels = body.entries.flatMap(({ model, perSecond }) => (model !== undefined && perSecond !== undefined ? [model] : []));
  return { revision, ...span, commitmentPico, entries, entryOf, perSecondOf: (model) => entryOf(model)?.entry.perSecond, ratedModels };
}

function nameOf(model = "", version?: number): string {
  return version === undefined ? model : `${model}@${version}`;
}

function scaled(per: bigint) {
  return (rate: Parameters<typeof scaleOf>[0] | undefined) => (rate === undefined ? undefined : scaleOf(rate, per));
}
