import type { UsageRow } from "../../usage/row.ts";
import type { SealedSum } from "../../usage/seals/seal.ts";
import type { Currency } from "../currency.ts";
import { COMPONENTS, type Line } from "../line.ts";
import { minorOf } from "../money.ts";
import { cellLines, type UnroundedLine } from "./cell-lines.ts";
import { commitmentLine, discountLine, unpricedOf } from "./month-lines.ts";
import { HOUR_MS, type PriceRevision } from "./price-book.ts";
import { hoursOf, type PricePlan, planMonth } from "./price-plan.ts";
import { rateLines } from "./rate-lines.ts";
import { byText, createUsageGroups, type UsageGroups } from "./usage-groups.ts";

/** What rating reads of a row. */
export type RateableRow = Pick<UsageRow, "model" | "servedVersion" | "arm" | "tier" | "inputTokens" | "outputTokens" | "computeMs"> & {
  /** The instant in the row's request id: it decides which revision prices the row. */
  readonly acceptedAtMs: number;
};

/** Sums of one hour, as its seals or totals have them. */
export type RateableSum = Omit<SealedSum, "inputs" | "priceVersion"> & { readonly hourMs: number };

/** How many seconds of an hour had how many requests for a model, over all shards; seconds without any need no mention. */
export type RateHistogram = {
  readonly model: string;
  readonly hourMs: number;
  readonly seconds: readonly (readonly [requests: number, seconds: number])[];
};

/** Requests for a model in each second from `fromMs` on, as seals have them for their minute and shard; shards add up. */
export type RateSeconds = { readonly model: string; readonly fromMs: number; readonly counts: readonly number[] };

export type RatingTerms = {
  /** The UTC month, such as `2026-11`. Everything that is added must have been accepted in it. */
  readonly month: string;
  readonly discountBps: number;
  /** Whoever was closed before the month began owes what was used in it, and neither reserved rates nor a commitment. */
  readonly withoutDues?: boolean;
};

export type Rated = {
  readonly currency: Currency;
  /** In a fixed order: by what is priced (model, version, arm, tier, component, revision, step), then the discount, then the commitment. */
  readonly lines: readonly Line[];
  /** Requests that no entry prices, or that came before the book's first revision. They cost nothing, and must not go unseen. */
  readonly unpriced: readonly { readonly model: string; readonly version: number; readonly requests: bigint }[];
};

/**
 * Rates one tenant's month as its rows come by: memory grows with what differs between rows, not with their number.
 * Use `add` alone; or, unless `needsRows`, `addSum` with `addSeconds` or `addHistogram` over the same hours: all give the same lines.
 */
export type Rater = {
  readonly add: (row: RateableRow) => void;
  readonly addSum: (sum: RateableSum) => void;
  readonly addSeconds: (seconds: RateSeconds) => void;
  readonly addHistogram: (histogram: RateHistogram) => void;
  readonly finish: () => Rated;
};

/** Pure: the same rows in any order give the same lines. `book` holds its revisions in their order. */
export function rate(rows: Iterable<RateableRow>, book: readonly PriceRevision[], terms: RatingTerms): Rated {
  const rater = createRater(book, terms);
  for (const row of rows) rater.add(row);
  return rater.finish();
}

/** A minimum per request is counted row by row: sums cannot tell it. */
export function needsRows(book: readonly PriceRevision[], month: string): boolean {
  return planMonth(book, month).periods.some(({ entries }) => entries.some(({ minimumPico }) => minimumPico > 0n));
}

export function createRater(book: readonly PriceRevision[], terms: RatingTerms): Rater {
  const plan = planMonth(book, terms.month);
  const groups = createUsageGroups(plan);
  const hourCount = hoursOf(plan);

  const hourAt = (atMs: number): number => {
    const hour = Math.floor((atMs - plan.fromMs) / HOUR_MS);
    if (hour >= 0 && hour < hourCount) return hour;
    throw new Error(`${new Date(atMs).toISOString()} is not in ${terms.month}`);
  };

  return {
    add(row) {
      const hour = hourAt(row.acceptedAtMs);
      const group = groups.of(row, hour);
      group.requests += 1;
      group.inputTokens += row.inputTokens;
      group.outputTokens += row.outputTokens;
      group.computeMs += row.computeMs;
      group.topUp?.add(row);
      group.seconds?.add(hour, row.acceptedAtMs);
    },
    addSum({ hourMs, version, ...sum }) {
      const group = groups.of({ ...sum, servedVersion: version }, hourAt(hourMs));
      if (group.topUp !== undefined) throw new Error(`${sum.model} has a minimum per request: its rows are needed, not sums`);
      group.requests += sum.requests;
      group.inputTokens += sum.inputTokens;
      group.outputTokens += sum.outputTokens;
      group.computeMs += sum.computeMs;
    },
    addSeconds({ model, fromMs, counts }) {
      const hour = hourAt(fromMs);
      groups.secondsOf(model, hour)?.addCounts(hour, { fromMs, counts });
    },
    addHistogram({ model, hourMs, seconds }) {
      const hour = hourAt(hourMs);
      groups.secondsOf(model, hour)?.addHistogram(hour, seconds);
    },
    finish: () => finish(plan, groups, terms),
  };
}

function finish(plan: PricePlan, groups: UsageGroups, { discountBps, withoutDues = false }: RatingTerms): Rated {
  const { currency } = plan;
  const cells = groups.cells();
  const unrounded = [...cellLines(plan, cells), ...rateLines(plan, groups.seconds)]
    .filter(({ component }) => !withoutDues || component !== "reservedRate")
    .toSorted(byWhatIsPriced);
  const charges = unrounded.map((line) => ({ ...line, amountMinor: minorOf(line.amountPico, currency) }));
  const discounted = [...charges, ...discountLine(plan, charges, discountBps)];
  const committed = withoutDues ? [] : commitmentLine(plan, discounted);
  return { currency, lines: [...discounted, ...committed], unpriced: unpricedOf(cells) };
}

/** Lines of one thing keep the order in which they came: by revision, then by step. */
function byWhatIsPriced(a: UnroundedLine, b: UnroundedLine): number {
  return (
    byText(a.model ?? "", b.model ?? "") ||
    (a.version ?? Number.POSITIVE_INFINITY) - (b.version ?? Number.POSITIVE_INFINITY) ||
    byText(a.arm ?? "", b.arm ?? "") ||
    byText(a.tier ?? "", b.tier ?? "") ||
    COMPONENTS.indexOf(a.component) - COMPONENTS.indexOf(b.component)
  );
}
