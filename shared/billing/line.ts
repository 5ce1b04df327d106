import type { Tier } from "../usage/row.ts";

/** What a line of an invoice charges for, in the order in which lines of one model stand. */
export const COMPONENTS = [
  "requests",
  "inputTokens",
  "outputTokens",
  "computeMs",
  "minimum",
  "peakRate",
  "percentileRate",
  "reservedRate",
  "rateOverage",
  "discount",
  "commitment",
  "credit",
  "adjustment",
] as const;
export type Component = (typeof COMPONENTS)[number];

/**
 * One line, exact and rounded. `amountPico` is in 1e-12 of the currency's major unit; `amountMinor` is the same rounded once, half away from zero,
 * to the currency's minor unit. Totals add up `amountMinor`, so that the lines are the total.
 */
export type Line = {
  readonly component: Component;
  /** Null where a line concerns the whole invoice, such as a commitment. */
  readonly model: string | null;
  /** The version that served. */
  readonly version: number | null;
  readonly arm: string | null;
  readonly tier: Tier | null;
  /** The revision of the price book that priced it. */
  readonly priceVersion: number;
  readonly quantity: bigint;
  /** What is counted: `request`, `token`, `millisecond`, `request per second`. */
  readonly unit: string;
  /** What the price is of, for people: `graduated above 1,000,000`. Empty for the plain case. */
  readonly note: string;
  readonly amountPico: bigint;
  readonly amountMinor: bigint;
};
