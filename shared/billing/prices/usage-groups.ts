import type { Tier } from "../../usage/row.ts";
import { HOUR_MS } from "./price-book.ts";
import { hoursOf, type Period, type PricePlan } from "./price-plan.ts";
import type { RateableRow } from "./rating.ts";
import { createSecondCounts, type SecondCounts } from "./second-counts.ts";
import { createTopUp, type TopUp } from "./top-up.ts";

/** What rows of one period that share model, version, arm and tier add up to. Numbers: bigints would cost more than all the rest of rating. */
export type Group = {
  readonly topUp: TopUp | undefined;
  readonly seconds: SecondCounts | undefined;
  requests: number;
  inputTokens: number;
  outputTokens: number;
  computeMs: number;
};

/** A group when all rows are in. */
export type Cell = CellKey & {
  readonly period: Period | undefined;
  readonly requests: bigint;
  readonly inputTokens: bigint;
  readonly outputTokens: bigint;
  readonly computeMs: bigint;
  readonly toppedUp: { readonly requests: bigint; readonly amountPico: bigint };
};

type CellKey = { readonly model: string; readonly version: number; readonly arm: string; readonly tier: Tier };

export type UsageGroups = {
  readonly of: (row: Omit<RateableRow, "acceptedAtMs">, hour: number) => Group;
  /** Where a model's requests per second are counted; undefined for an hour whose revision does not price them. */
  readonly secondsOf: (model: string, hour: number) => SecondCounts | undefined;
  readonly seconds: ReadonlyMap<string, SecondCounts>;
  /** Sorted by period, model, version, arm and tier, whatever the order in which they came. */
  readonly cells: () => Cell[];
};

/** By period, one more than its place in the plan: 0 is for rows from before the book. */
type Places = (Group | undefined)[];

export function createUsageGroups(plan: PricePlan): UsageGroups {
  const placeOfHour = placesOf(plan);
  const models = new Map<string, Map<number, Map<string, Map<Tier, Places>>>>();
  const seconds = new Map<string, SecondCounts>();

  const secondsOf = (model: string, hour: number) =>
    plan.periods[(placeOfHour[hour] ?? 0) - 1]?.perSecondOf(model) === undefined
      ? undefined
      : inserted(seconds, model, () => createSecondCounts(plan));

  return {
    of(row, hour) {
      const arms = inserted(
        inserted(models, row.model, () => new Map()),
        row.servedVersion,
        () => new Map(),
      );
      const places = inserted(
        inserted(arms, row.arm, () => new Map()),
        row.tier,
        () => [],
      );
      const place = placeOfHour[hour] ?? 0;
      const there = places[place];
      if (there !== undefined) return there;
      const entry = plan.periods[place - 1]?.entryOf(row.model, row.servedVersion);
      const group = newGroup(createTopUp(entry), secondsOf(row.model, hour));
      places[place] = group;
      return group;
    },
    secondsOf,
    seconds,
    cells: () =>
      [...models]
        .flatMap(([model, versions]) =>
          [...versions].flatMap(([version, arms]) =>
            [...arms].flatMap(([arm, tiers]) =>
              [...tiers].flatMap(([tier, places]) => cellsAt(plan, { model, version, arm, tier }, places)),
            ),
          ),
        )
        .toSorted(byPlace),
  };
}

function newGroup(topUp: TopUp | undefined, seconds: SecondCounts | undefined): Group {
  return { topUp, seconds, requests: 0, inputTokens: 0, outputTokens: 0, computeMs: 0 };
}

function cellsAt(plan: PricePlan, key: CellKey, places: Places): Cell[] {
  return places.flatMap((group, place) => (group === undefined ? [] : [cellOf(key, plan.periods[place - 1], group)]));
}

function cellOf(key: CellKey, period: Period | undefined, group: Group): Cell {
  return {
    ...key,
    period,
    requests: exact(group.requests),
    inputTokens: exact(group.inputTokens),
    outputTokens: exact(group.outputTokens),
    computeMs: exact(group.computeMs),
    toppedUp: group.topUp?.total() ?? { requests: 0n, amountPico: 0n },
  };
}

/** Sums of counts only grow, so one that is exact now has been exact all along. */
function exact(sum: number): bigint {
  if (Number.isSafeInteger(sum) && sum >= 0) return BigInt(sum);
  throw new Error(`the rows add up to ${sum}, which is not a count that a number holds exactly`);
}

function byPlace(a: Cell, b: Cell): number {
  return (
    (a.period?.fromMs ?? 0) - (b.period?.fromMs ?? 0) ||
    byText(a.model, b.model) ||
    a.version - b.version ||
    byText(a.arm, b.arm) ||
    byText(a.tier, b.tier)
  );
}

/** By code units, the same on every machine. */
export function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function placesOf(plan: PricePlan): Uint16Array {
  const places = new Uint16Array(hoursOf(plan));
  for (const [place, { fromMs, toMs }] of plan.periods.entries())
    places.fill(place + 1, (fromMs - plan.fromMs) / HOUR_MS, (toMs - plan.fromMs) / HOUR_MS);
  return places;
}

function inserted<K, V>(map: Map<K, V>, key: K, make: () => NoInfer<V>): V {
  const there = map.get(key);
  if (there !== undefined) return there;
  const made = make();
  map.set(key, made);
  return made;
}
