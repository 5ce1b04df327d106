import type { Component, Line } from "../line.ts";
import type { EntryPlan, Period, PricePlan } from "./price-plan.ts";
import { partsOn, type Scale } from "./scale.ts";
import type { Cell } from "./usage-groups.ts";

export type UnroundedLine = Omit<Line, "amountMinor">;

type Priced = {
  readonly component: Component;
  readonly unit: string;
  readonly scaleOf: (entry: EntryPlan, cell: Cell) => Scale | undefined;
  readonly quantityOf: (cell: Cell) => bigint;
};

const PRICED: readonly Priced[] = [
  { component: "requests", unit: "request", scaleOf: (entry) => entry.requests, quantityOf: (cell) => cell.requests },
  { component: "inputTokens", unit: "token", scaleOf: (entry) => entry.inputTokens, quantityOf: (cell) => cell.inputTokens },
  { component: "outputTokens", unit: "token", scaleOf: (entry) => entry.outputTokens, quantityOf: (cell) => cell.outputTokens },
  {
    component: "computeMs",
    unit: "millisecond",
    scaleOf: (entry, { tier }) => entry.computeMs[tier],
    quantityOf: (cell) => cell.computeMs,
  },
];

/** Where each scale of a period stands: what lies on it before the next cell, and what the whole month lays on it. */
type Standing = { from: bigint; total: bigint };

/**
 * Lines of what is counted row by row. Allowances and steps count over the month, as if the revision had been in force since its start: what an
 * entry prices takes places on its scale in the order of revision, model, version, arm and tier; what came under an earlier revision has taken the first
 * ones and is not priced again.
 */
export function cellLines(plan: PricePlan, cells: readonly Cell[]): UnroundedLine[] {
  return plan.periods.flatMap((period) => {
    const standings = standingsOf(period, cells);
    return cells.filter((cell) => cell.period === period).flatMap((cell) => linesOf(period, cell, standings));
  });
}

function standingsOf(period: Period, cells: readonly Cell[]): Map<Scale, Standing> {
  const standings = new Map<Scale, Standing>();
  for (const cell of cells) {
    for (const { scale, quantity } of placedBy(period, cell)) {
      const standing = standings.get(scale) ?? { from: 0n, total: 0n };
      standing.total += quantity;
      if ((cell.period?.fromMs ?? 0) < period.fromMs) standing.from += quantity;
      standings.set(scale, standing);
    }
  }
  return standings;
}

function placedBy(period: Period, cell: Cell) {
  const entry = period.entryOf(cell.model, cell.version);
  if (entry === undefined) return [];
  return PRICED.flatMap((priced) => {
    const [scale, quantity] = [priced.scaleOf(entry, cell), priced.quantityOf(cell)];
    return scale === undefined || quantity === 0n ? [] : [{ ...priced, scale, quantity }];
  });
}

function linesOf(period: Period, cell: Cell, standings: Map<Scale, Standing>): UnroundedLine[] {
  const { model, version, arm, tier, toppedUp } = cell;
  const key = { model, version, arm, tier, priceVersion: period.revision };
  const placed = placedBy(period, cell).flatMap(({ component, unit, scale, quantity }) => {
    const standing = standings.get(scale);
    if (standing === undefined) throw new Error("a scale of this period has no standing");
    const { from, total } = standing;
    standing.from += quantity;
    return partsOn(scale, { from, quantity, total }).map((part) => ({ ...key, component, unit, ...part }));
  });
  if (toppedUp.amountPico === 0n) return placed;
  const { requests: quantity, amountPico } = toppedUp;
  return [...placed, { ...key, component: "minimum", unit: "request", quantity, note: "what requests lack of their minimum", amountPico }];
}
