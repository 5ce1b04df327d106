import type { Item } from "../harness/fake-dynamo/values.ts";
import { number, text } from "./ledger-items.ts";

/** What a tenant's month comes to, computed from its rows by hand and by nothing of the product's: prices are those of `price-list.ts`, in pico-units. */
export type PlainBill = { readonly netMinor: bigint; readonly taxMinor: bigint; readonly totalMinor: bigint };

type Terms = { readonly prices: (rows: readonly Item[]) => bigint[]; readonly discountBps: bigint; readonly taxBps: bigint };

const TERMS: Readonly<Record<string, Terms>> = {
  acme: { prices: steppedPrices, discountBps: 250n, taxBps: 1_900n },
  globex: { prices: flatPrices, discountBps: 0n, taxBps: 700n },
  initech: { prices: flatPrices, discountBps: 0n, taxBps: 1_900n },
};
const PICO_PER_CENT = 10_000_000_000n;

export function plainBill(tenant: string, rows: readonly Item[], adjustments: readonly bigint[] = []): PlainBill {
  const terms = TERMS[tenant];
  if (terms === undefined) throw new Error(`${tenant} is none of the histories' tenants`);
  const prices = terms.prices(rows);
  const discount = rounded(sum(prices) * terms.discountBps, 10_000n);
  const billed = sum(prices.map(centsOf));
  const charged = centsOf(discount) > billed ? 0n : billed - centsOf(discount); // no more comes off than the lines bill
  const paid = sum(terms.prices(rows.filter((row) => text(row, "ls") !== "")).map(centsOf));
  const netMinor = charged - paid + sum(adjustments);
  const taxMinor = rounded(netMinor * terms.taxBps, 10_000n);
  return { netMinor, taxMinor, totalMinor: netMinor + taxMinor };
}

/** One price a line: of each model requests, tokens and milliseconds. */
function flatPrices(rows: readonly Item[]): bigint[] {
  return byModel(rows).flatMap(({ requests, input, output, ms }) => [
    requests * 13_700_000_000n,
    input * 110_000_000n,
    output * 1_300_000_000n,
    ms * 100_000n,
  ]);
}

function steppedPrices(rows: readonly Item[]): bigint[] {
  return byModel(rows).flatMap(({ model, requests, output }) => {
    if (model === "smol") return [requests * 10_000_000_000n, above(output, 100n) * 1_700_000_000n];
    return [(requests - above(requests, 2n)) * 13_700_000_000n, above(requests, 2n) * 4_900_000_000n];
  });
}

function byModel(rows: readonly Item[]) {
  return [...Map.groupBy(rows, (row) => text(row, "mo"))].map(([model, each]) => {
    const total = (name: string) => sum(each.map((row) => BigInt(number(row, name))));
    return { model, requests: BigInt(each.length), input: total("ti"), output: total("to"), ms: total("ms") };
  });
}

function above(quantity: bigint, free: bigint): bigint {
  return quantity > free ? quantity - free : 0n;
}

function centsOf(pico: bigint): bigint {
  return rounded(pico, PICO_PER_CENT);
}

/** Half up; nothing here is below zero. */
function rounded(top: bigint, bottom: bigint): bigint {
  return (2n * top + bottom) / (2n * bottom);
}

function sum(amounts: readonly bigint[]): bigint {
  return amounts.reduce((all, each) => all + each, 0n);
}
