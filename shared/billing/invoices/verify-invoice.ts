import { acceptedAtMsOf } from "../../base/id.ts";
import type { UsageRow } from "../../usage/row.ts";
import type { TenantBucket } from "../../usage/seals/seal.ts";
import { canonicalJson } from "../canonical-json.ts";
import { minorOf } from "../money.ts";
import type { PriceRevision } from "../prices/price-book.ts";
import { effectiveMs } from "../prices/price-plan.ts";
import { createRater, type Rated } from "../prices/rating.ts";
import { type Check, startCheck } from "./check.ts";
import { type SealsFound, walkRows } from "./held-rows.ts";
import type { Adjustment } from "./invoice.ts";
import { adjustmentLine, documentLine, type InvoiceDocument, taxesOf, totalsOf } from "./invoice-document.ts";
import { countedOnly, prepaidLine } from "./prepaid-line.ts";

/** What an invoice follows from, as it was exported. Rows and seals come one by one, by minute, shard and key. */
export type Basis = {
  readonly document: InvoiceDocument;
  /** What people have corrected, as the invoice's own log has it. */
  readonly adjustments: readonly Adjustment[];
  readonly book: readonly PriceRevision[];
  readonly seals: AsyncIterable<TenantBucket>;
  readonly rows: AsyncIterable<UsageRow>;
};

/**
 * Computes an invoice anew from its rows, and says what differs: prices, seals, sums, lines, rounding, taxes, total. Memory does not grow with the rows.
 * What cannot be computed, since the prices are another book's or rows are lacking, is left out: the checks end with the one that says so.
 */
export async function verifyInvoice(basis: Basis): Promise<readonly Check[]> {
  const { document, book } = basis;
  const prices = startCheck("the prices are the invoice's book, in its currency and in order");
  prices.count = book.length;
  for (const problem of bookProblems(book, document)) prices.add(problem);
  if (prices.done().differences.length > 0) return [prices.done()];
  const buckets = startCheck("every bucket's rows have its seal's digest, sums and counts per second");
  const { rated, paid, found, bucketCount } = await rateHeld(basis, buckets.add);
  buckets.count = bucketCount;
  if (found === undefined) return [prices.done(), buckets.done()];
  return [prices.done(), buckets.done(), checkEvidence(document, found), ...checkMoney(basis, rated, paid)];
}

type Rating = Pick<Basis, "document" | "book" | "seals" | "rows">;

/** Rates rows as they are walked through. */
export async function rateHeld({ document, book, ...held }: Rating, differs: (what: string) => void) {
  const { discountBps, withoutDues = false } = document.priceBook;
  const terms = { month: document.month, discountBps, withoutDues };
  const [rater, paidRater] = [createRater(book, terms), createRater(countedOnly(book), terms)];
  const walk = walkRows({ document, ...held }, differs);
  for await (const row of walk.rows) {
    const rateable = { ...row, acceptedAtMs: acceptedAtMsOf(row.requestId) };
    rater.add(rateable);
    if (row.lease !== undefined) paidRater.add(rateable);
  }
  return { rated: rater.finish(), paid: paidRater.finish(), found: walk.found(), bucketCount: walk.bucketCount() };
}

/** Why a book's revisions cannot be those of an invoice; none if they can. */
export function bookProblems(
  book: readonly PriceRevision[],
  { currency, priceBook }: Pick<InvoiceDocument, "currency" | "priceBook">,
): string[] {
  const problems = book.length === 0 ? ["there are no prices"] : [];
  for (const [place, { revision, body }] of book.entries()) {
    const before = book[place - 1];
    if (body.name !== priceBook.name) problems.push(`revision ${revision} is of the book ${body.name}, not ${priceBook.name}`);
    if (body.currency !== currency) problems.push(`revision ${revision} is in ${body.currency}, the invoice in ${currency}`);
    if (before === undefined) continue;
    if (revision <= before.revision || effectiveMs({ revision, body }) < effectiveMs(before))
      problems.push(`revision ${revision} follows revision ${before.revision} and does not come after it`);
  }
  return problems;
}

function checkEvidence({ evidence }: InvoiceDocument, found: SealsFound): Check {
  const check = startCheck("the seals are those that the invoice names");
  check.count = found.buckets;
  if (evidence === null) check.add("the invoice is a draft and names none");
  else for (const difference of evidenceDifferences(evidence, found)) check.add(difference);
  return check.done();
}

export function evidenceDifferences(evidence: SealsFound, found: SealsFound): string[] {
  const fields = ["buckets", "revised", "rows", "sealsDigest"] as const;
  return fields
    .filter((field) => evidence[field] !== found[field])
    .map((field) => `${field}: ${found[field]} in the export, ${evidence[field]} in the invoice`);
}

function checkMoney({ document, adjustments }: Basis, rated: Rated, paid: Rated): Check[] {
  const { lines, taxes, totals, currency } = document;
  const taxRateBps = lines[0]?.taxRateBps ?? 0;
  const [byPeople, byRows] = [true, false].map((isByPeople) =>
    lines.filter(({ component }) => (component === "adjustment") === isByPeople).map((line) => canonicalJson(line)),
  );
  const priced = startCheck("rows and prices give the invoice's lines");
  const made = [...rated.lines, ...prepaidLine({ paid, month: rated })].map((line) => canonicalJson(documentLine(line, taxRateBps)));
  compare(priced, { said: byRows ?? [], made, source: "the rows" });

  const adjusted = startCheck("adjustments are those that were made");
  const corrections = adjustments.map((each) => canonicalJson(adjustmentLine(each, currency, taxRateBps)));
  compare(adjusted, { said: byPeople ?? [], made: corrections, source: "the invoice's log" });

  const rounded = startCheck("each line is rounded once, half away from zero");
  for (const { amountPico, amountMinor, component } of lines) {
    rounded.count += 1;
    const minor = minorOf(BigInt(amountPico), currency);
    if (`${minor}` !== amountMinor) rounded.add(`${component}: ${minor}, and not ${amountMinor}`);
  }

  const taxed = startCheck("each rate's tax is rounded once on the sum of its lines");
  taxed.count = taxes.length;
  const taxesAnew = taxesOf(lines);
  if (canonicalJson(taxesAnew) !== canonicalJson([...taxes]))
    taxed.add(`${canonicalJson(taxesAnew)}, and not ${canonicalJson([...taxes])}`);

  const total = startCheck("lines and taxes are the total");
  total.count = 1;
  const totalsAnew = totalsOf(lines, taxes);
  if (canonicalJson(totalsAnew) !== canonicalJson(totals)) total.add(`${canonicalJson(totalsAnew)}, and not ${canonicalJson(totals)}`);
  return [priced.done(), adjusted.done(), rounded.done(), taxed.done(), total.done()];
}

type Compared = { readonly said: readonly string[]; readonly made: readonly string[]; readonly source: string };

/** Each as often on one side as on the other: a line that stands twice is paid twice. */
function compare(check: ReturnType<typeof startCheck>, { said, made, source }: Compared) {
  check.count = said.length;
  for (const text of leftOf(said, made)) check.add(`in the invoice only: ${text}`);
  for (const text of leftOf(made, said)) check.add(`from ${source} only: ${text}`);
}

function leftOf(some: readonly string[], others: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const text of others) counts.set(text, (counts.get(text) ?? 0) + 1);
  return some.filter((text) => {
    const count = counts.get(text) ?? 0;
    counts.set(text, count - 1);
    return count <= 0;
  });
}
