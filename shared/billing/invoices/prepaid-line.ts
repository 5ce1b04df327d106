import type { Component, Line } from "../line.ts";
import { picoOfMinor } from "../money.ts";
import type { Rated } from "../prices/rating.ts";

/** What follows from single requests, and the discount on it: a balance pays these. Reserved rates and commitments are due by the month. */
const PAID: ReadonlySet<Component> = new Set<Component>(["requests", "inputTokens", "outputTokens", "computeMs", "minimum", "discount"]);

/**
 * What requests that drew from a prepaid balance come to on the invoice, taken off it again: they are paid. `paid` is the rating of their rows
 * alone, with the same book and discount.
 */
export function prepaidLine({ lines, currency }: Rated): Line[] {
  const paidMinor = lines.filter(({ component }) => PAID.has(component)).reduce((sum, { amountMinor }) => sum + amountMinor, 0n);
  const hasRows = lines.some(({ component }) => component !== "discount" && PAID.has(component));
  if (!hasRows || paidMinor === 0n) return [];
  const amountPico = picoOfMinor(-paidMinor, currency);
  const whole = { model: null, version: null, arm: null, tier: null, priceVersion: 0, quantity: 1n, unit: "month" } as const;
  return [{ ...whole, component: "credit", note: "paid from the prepaid balance", amountPico, amountMinor: -paidMinor }];
}
