import { Failure } from "../../base/failure.ts";
import type { PriceRevision } from "../prices/price-book.ts";
import { type DocumentLine, documentLine, taxesOf, totalsOf } from "./invoice-document.ts";
import { prepaidLine } from "./prepaid-line.ts";
import { type Basis, bookProblems, evidenceDifferences, rateHeld } from "./verify-invoice.ts";

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

/**
 * What another price book would make of the same rows: per line, and in total with the invoice's own adjustments and tax rate. The rows are held against
 * their seals on the way, and the first difference ends it: a figure over other rows would say nothing of this invoice.
 */
export async function reRate(
  { document, seals, rows }: Pick<Basis, "document" | "seals" | "rows">,
  book: readonly PriceRevision[],
): Promise<ReRated> {
  const [wrong] = bookProblems(book, { ...document, priceBook: { ...document.priceBook, name: book[0]?.body.name ?? "" } });
  if (wrong !== undefined) throw new Failure("invalid_request", `These prices cannot be put beside the invoice: ${wrong}.`);
  const { rated, paid, found } = await rateHeld({ document, book, seals, rows }, refuse);
  if (document.evidence !== null && found !== undefined)
    for (const difference of evidenceDifferences(document.evidence, found)) refuse(difference);
  const kept = document.lines.filter(({ component }) => component === "adjustment");
  const made = [...rated.lines, ...prepaidLine({ paid, month: rated })];
  const after = [...made.map((line) => documentLine(line, document.lines[0]?.taxRateBps ?? 0)), ...kept];
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

function refuse(difference: string): never {
  throw new Failure("conflict", `The export's rows are not the invoice's: ${difference}.`);
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
