import type { UsageRow } from "../usage/row.ts";
import type { SealedSum } from "../usage/seal.ts";
import type { Currency } from "./currency.ts";
import type { Line } from "./line.ts";
import type { PriceRevision } from "./price-book.ts";

/** What rating reads of a row. */
export type RateableRow = Pick<UsageRow, "model" | "servedVersion" | "arm" | "tier" | "inputTokens" | "outputTokens" | "computeMs"> & {
  /** The instant in the row's request id: it decides which revision prices the row. */
  readonly acceptedAtMs: number;
};

/** Sums of one hour, as its seals or totals have them. */
export type RateableSum = Omit<SealedSum, "inputs" | "priceVersion"> & { readonly hourMs: number };

/** How many seconds of an hour had how many requests for a model; seconds without any need no mention. */
export type RateHistogram = {
  readonly model: string;
  readonly hourMs: number;
  readonly seconds: readonly (readonly [requests: number, seconds: number])[];
};

export type RatingTerms = {
  /** The UTC month, such as `2026-11`. Everything that is added must have been accepted in it. */
  readonly month: string;
  readonly discountBps: number;
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
 * Use `add` alone, or (if `needsRows` says no) `addSum` and `addHistogram` over the same hours: both give the same lines.
 */
export type Rater = {
  readonly add: (row: RateableRow) => void;
  readonly addSum: (sum: RateableSum) => void;
  readonly addHistogram: (histogram: RateHistogram) => void;
  readonly finish: () => Rated;
};

/** Pure: the same rows in any order give the same lines. `book` holds its revisions in their order. */
export type Rate = (rows: Iterable<RateableRow>, book: readonly PriceRevision[], terms: RatingTerms) => Rated;
