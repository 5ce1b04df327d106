import type { Component, Line } from "../line.ts";
import { picoOfMinor } from "../money.ts";
import type { PriceRevision } from "../prices/price-book.ts";
import type { Rated } from "../prices/rating.ts";

/** What follows from single requests, and the discount on it: a balance pays these. Reserved rates and commitments are due by the month. */
const PAID: ReadonlySet<Component> = new Set<Component>(["requests", "inputTokens", "outputTokens", "computeMs", "minimum", "discount"]);

/**
 * A book as it prices what a balance pays: without what is charged by the second or the month. Of that, the rating of some of a month's rows would have a part, or all
 * that is reserved, and its discount would be taken from what the balance has paid.
 */
export function countedOnly(book: readonly PriceRevision[]): PriceRevision[] {
  return book.map(({ revision, body: { commitment: _, ...body } }) => {
    const entries = body.entries.map(({ perSecond: __, ...entry }) => entry);
    return { revision, body: { ...body, entries } };
  });
}

/**
 * What requests that drew from a prepaid balance come to on the invoice, taken off it again: they are paid. `paid` is the rating of their rows
 * alone, with what the book counts (`countedOnly`) and the same discount; `month` that of all rows. Both round their lines, and the discount of the whole may round down where that
 * of the part rounds up: so no more is taken off than the month's lines come to, and what is left to pay is never below zero.
 */
export function prepaidLine({ paid, month }: { readonly paid: Rated; readonly month: Rated }): Line[] {
  const { lines, currency } = paid;
  const hasRows = lines.some(({ component }) => component !== "discount" && PAID.has(component));
  const partMinor = sumOf(lines.filter(({ component }) => PAID.has(component)));
  const wholeMinor = sumOf(month.lines);
  const paidMinor = least(most(partMinor, 0n), wholeMinor);
  if (!hasRows || paidMinor === 0n) return [];
  const amountPico = picoOfMinor(-paidMinor, currency);
  const whole = { model: null, version: null, arm: null, tier: null, priceVersion: 0, quantity: 1n, unit: "month" } as const;
  return [{ ...whole, component: "credit", note: "paid from the prepaid balance", amountPico, amountMinor: -paidMinor }];
}

const least = (a: bigint, b: bigint) => (a < b ? a : b);
const most = (a: bigint, b: bigint) => (a > b ? a : b);

function sumOf(lines: readonly Line[]): bigint {
  return lines.reduce((sum, { amountMinor }) => sum + amountMinor, 0n);
}
