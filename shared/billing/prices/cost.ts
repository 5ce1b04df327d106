import type { Tier } from "../../usage/row.ts";
import type { EntryPlan } from "./price-plan.ts";
import type { Scale } from "./scale.ts";

export type RequestUsage = {
  readonly tier: Tier;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly computeMs: number;
};

/**
 * What one request costs at most by itself, whatever else its month holds: of steps the dearest counts and no allowance is left, so that nobody has to know how far
 * the month has come. What is charged by the month (commitments) or by rates is not in it. Exact for plain prices. Undefined if a priced quantity has no bound.
 */
export function mostPicoOf(entry: EntryPlan, usage: RequestUsage): bigint | undefined {
  let sum = 0n;
  for (const { scale, count } of pricedParts(entry, usage)) {
    const pico = dearest(scale);
    if (pico === 0n) continue;
    if (!Number.isSafeInteger(count)) return undefined;
    sum += pico * BigInt(count);
  }
  return sum > entry.minimumPico ? sum : entry.minimumPico;
}

/** What one request costs under plain prices, without its minimum. A row of a book with steps or allowances has no cost of its own. */
export function costOf(entry: EntryPlan, usage: RequestUsage): bigint {
  return pricedParts(entry, usage).reduce((sum, { scale, count }) => sum + (scale.steps[0]?.pico ?? 0n) * BigInt(count), 0n);
}

/** The parts of an entry that price something of a request. */
export function pricedParts({ requests, inputTokens, outputTokens, computeMs }: EntryPlan, usage: RequestUsage) {
  const parts = [
    { component: "perRequest", scale: requests, count: 1 },
    { component: "per1000InputTokens", scale: inputTokens, count: usage.inputTokens },
    { component: "per1000OutputTokens", scale: outputTokens, count: usage.outputTokens },
    { component: "perComputeMs", scale: computeMs[usage.tier], count: usage.computeMs },
  ] as const;
  return parts.flatMap(({ scale, ...part }) => (scale === undefined ? [] : [{ ...part, scale }]));
}

export function dearest({ steps }: Scale): bigint {
  return steps.reduce((most, { pico }) => (pico > most ? pico : most), 0n);
}
