import { acceptedAtMsOf } from "../../base/id.ts";
import type { PriceRevision } from "../prices/price-book.ts";
import { createRater } from "../prices/rating.ts";
import { type DocumentLine, documentLine, taxesOf, totalsOf } from "./invoice-document.ts";
import type { Basis } from "./verify-invoice.ts";

export type LineDifference = {
  readonly what: string;
  readonly quantity: string;
  readonly beforeMinor: bigint;
  readonly afterMinor: bigint;
};

export type ReRated = {
  readonly currency: string;
  readonly lines: readonly LineDifference[];
  readonly beforeMinor: bigint;
  readonly afterMinor: bigint;
};

/** What another price book would make of the same rows: per line, and in total with the invoice's own adjustments and tax rate. */
export async function reRate(
  { document, rows }: Pick<Basis, "document" | "rows">,
  book: readonly PriceRevision[],
): Promise<{
  readonly currency: string;
  readonly lines: readonly LineDifference[];
  readonly beforeMinor: bigint;
  readonly afterMinor: bigint;
}> {
  const rater = createRater(book, { month: document.month, discountBps: document.priceBook.discountBps });
  for await (const row of rows) rater.add({ ...row, acceptedAtMs: acceptedAtMsOf(row.requestId) });
  const rated = rater.finish();
  const kept = document.lines.filter(({ component }) => component === "adjustment");
  const after = [...rated.lines.map((line) => documentLine(line, document.lines[0]?.taxRateBps ?? 0)), ...kept];
  const [before, anew] = [sumByName(document.lines), sumByName(after)];
  const lines = [...new Set([...before.keys(), ...anew.keys()])].map((what) => ({
    what,
    quantity: (anew.get(what) ?? before.get(what))?.quantity ?? "0",
    beforeMinor: before.get(what)?.minor ?? 0n,
    afterMinor: anew.get(what)?.minor ?? 0n,
  }));
  const afterMinor = BigInt(totalsOf(after, taxesOf(after)).totalMinor);
  return { currency: rated.currency, lines, beforeMinor: BigInt(document.totals.totalMinor), afterMinor };
}

/** Steps and revisions of one thing are added up: two books cut them differently. */
function sumByName(lines: readonly DocumentLine[]): Map<string, { minor: bigint; quantity: string }> {
  const sums = new Map<string, { minor: bigint; quantity: string }>();
  for (const { model, version, arm, tier, component, quantity, amountMinor } of lines) {
    const suffix = version === null ? "" : `@${version}`;
    const what = [model === null ? "whole month" : `${model}${suffix}`, arm, tier, component].filter((part) => part !== null).join(" ");
    const sum = sums.get(what) ?? { minor: 0n, quantity: "0" };
    sums.set(what, { minor: sum.minor + BigInt(amountMinor), quantity: `${BigInt(sum.quantity) + BigInt(quantity)}` });
  }
  return sums;
}
