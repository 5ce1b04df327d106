import type { Line } from "../line.ts";
import { minorOf, picoOfMinor, roundDivide } from "../money.ts";
import type { PricePlan } from "./price-plan.ts";
import type { Rated } from "./rating.ts";
import type { Cell } from "./usage-groups.ts";

const WHOLE_INVOICE = { model: null, version: null, arm: null, tier: null } as const;

/**
 * Off everything that is charged; exact before it is rounded, once. No more comes off than the lines bill: each of them may round to nothing where all of them
 * together are a cent, and a month that came to less than nothing could not be billed.
 */
export function discountLine(plan: PricePlan, charges: readonly Line[], discountBps: number): Line[] {
  const { currency } = plan;
  const exactPico = -roundDivide(sumOf(charges.map((line) => line.amountPico)) * BigInt(discountBps), 10_000n);
  if (exactPico === 0n) return [];
  const counted = { quantity: BigInt(discountBps), unit: "basis point", note: `${discountBps / 100} % off` };
  const billedMinor = sumOf(charges.map((line) => line.amountMinor));
  const isTooMuch = minorOf(exactPico, currency) < -billedMinor;
  const amountPico = isTooMuch ? picoOfMinor(-billedMinor, currency) : exactPico;
  const amountMinor = minorOf(amountPico, currency);
  return [{ ...WHOLE_INVOICE, component: "discount", priceVersion: lastRevision(plan), ...counted, amountPico, amountMinor }];
}

/**
 * What use lacks of the month's commitment. It is compared with what the lines bill, which is rounded: so a month that is topped up comes to the commitment
 * exactly. Of several revisions each commits to its share of the month, by its hours.
 */
export function commitmentLine(plan: PricePlan, lines: readonly Line[]): Line[] {
  const { currency, fromMs, toMs, periods } = plan;
  const timesMs = sumOf(periods.map((each) => each.commitmentPico * BigInt(each.toMs - each.fromMs)));
  const committedMinor = minorOf(roundDivide(timesMs, BigInt(toMs - fromMs)), currency);
  const amountMinor = committedMinor - sumOf(lines.map((line) => line.amountMinor));
  if (timesMs === 0n || amountMinor <= 0n) return [];
  const counted = { quantity: 1n, unit: "month", note: "what use lacks of the commitment" };
  const amountPico = picoOfMinor(amountMinor, currency);
  return [{ ...WHOLE_INVOICE, component: "commitment", priceVersion: lastRevision(plan), ...counted, amountPico, amountMinor }];
}

/** By model and version. */
export function unpricedOf(cells: readonly Cell[]): Rated["unpriced"] {
  const without = cells.filter(({ period, model, version }) => period?.entryOf(model, version) === undefined);
  const byVersion = Map.groupBy(without, ({ model, version }) => JSON.stringify([model, version]));
  return [...byVersion.values()].flatMap((each) => {
    const [first] = each;
    return first === undefined
      ? []
      : [{ model: first.model, version: first.version, requests: sumOf(each.map(({ requests }) => requests)) }];
  });
}

function lastRevision({ periods }: PricePlan): number {
  return periods.at(-1)?.revision ?? 0;
}

function sumOf(amounts: readonly bigint[]): bigint {
  return amounts.reduce((sum, each) => sum + each, 0n);
}
