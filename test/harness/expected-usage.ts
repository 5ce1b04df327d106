import { createHash } from "node:crypto";
import { acceptedAtMsOf } from "../../shared/base/id.ts";
import type { UsageRow } from "../../shared/usage/row.ts";
import { rowText } from "../../shared/usage/row-text.ts";

/** Figures of rows, added up here in the plainest way: what the product's totals and digests are held against. */
export function countsOf(rows: readonly UsageRow[]): Record<string, readonly number[]> {
  const sums: Record<string, number[]> = {};
  for (const row of rows) {
    const key = [row.tenant, row.model, row.servedVersion, row.arm, row.tier, row.priceVersion].join(" ");
    const counts = [1, row.inputs, row.inputTokens, row.outputTokens, row.computeMs];
    sums[key] = counts.map((count, place) => (sums[key]?.[place] ?? 0) + count);
  }
  return sums;
}

/** For each tenant and model, how many seconds had how many requests. */
export function histogramsOf(rows: readonly UsageRow[]): Record<string, Record<number, number>> {
  const seconds: Record<string, Record<number, number>> = {};
  for (const row of rows) {
    const key = `${row.tenant} ${row.model}`;
    const second = Math.floor(acceptedAtMsOf(row.requestId) / 1_000);
    const counts = seconds[key] ?? {};
    counts[second] = (counts[second] ?? 0) + 1;
    seconds[key] = counts;
  }
  const histograms: Record<string, Record<number, number>> = {};
  for (const [key, counts] of Object.entries(seconds)) {
    const histogram: Record<number, number> = {};
    for (const count of Object.values(counts)) histogram[count] = (histogram[count] ?? 0) + 1;
    histograms[key] = histogram;
  }
  return histograms;
}

export function digestOf(rows: readonly UsageRow[]): string {
  const key = (row: UsageRow) => `${row.tenant}#${row.requestId}`;
  const sorted = [...rows].sort((a, b) => (key(a) < key(b) ? -1 : 1));
  return createHash("sha256").update(sorted.map(rowText).join("")).digest("hex");
}
