import { acceptedAtMsOf } from "../../base/id.ts";
import { minuteOf, type UsageRow } from "../../usage/row.ts";
import type { TenantBucket, TenantSeal } from "../../usage/seal.ts";
import { startSeal } from "../../usage/seal-builder.ts";
import { canonicalJson } from "../canonical-json.ts";
import { minorOf } from "../money.ts";
import type { PriceRevision } from "../prices/price-book.ts";
import { createRater, type Rated } from "../prices/rating.ts";
import { documentLine, type InvoiceDocument, taxesOf, totalsOf } from "./invoice-document.ts";
import { prepaidLine } from "./prepaid-line.ts";
import { createSealsDigest } from "./seals-digest.ts";

/** What an invoice follows from, as it was exported. Rows and seals come one by one, by minute, shard and key. */
export type Basis = {
  readonly document: InvoiceDocument;
  readonly book: readonly PriceRevision[];
  readonly seals: AsyncIterable<TenantBucket>;
  readonly rows: AsyncIterable<UsageRow>;
};

/** One thing that was computed anew; `differences` is empty when it is as the invoice says. */
export type Check = { readonly name: string; readonly count: number; readonly differences: readonly string[] };

/** So many differences are told of a check; of a wrong month all buckets would differ. */
const DIFFERENCES_MAX = 20;

/** Computes an invoice anew from its rows, and says what differs: seals, sums, lines, rounding, taxes, total. Memory does not grow with the rows. */
export async function verifyInvoice({ document, book, seals, rows }: Basis): Promise<readonly Check[]> {
  const buckets = startCheck("every bucket's rows have its seal's digest, sums and counts per second");
  const terms = { month: document.month, discountBps: document.priceBook.discountBps };
  const [rater, paid] = [createRater(book, terms), createRater(book, terms)];
  const digest = createSealsDigest();
  const source = rows[Symbol.asyncIterator]();
  for await (const bucket of seals) {
    buckets.count += 1;
    digest.add(bucket);
    const seal = startSeal();
    for (let place = 0; place < bucket.tenant.rowCount; place += 1) {
      const next = await source.next();
      if (next.done) {
        buckets.add(`${nameOf(bucket)}: ${bucket.tenant.rowCount - place} of its rows are missing`);
        break;
      }
      if (placeOf(next.value) !== `${bucket.minute} ${document.buyer.tenant}`) {
        buckets.add(`${nameOf(bucket)}: the row ${next.value.requestId} belongs to ${placeOf(next.value)}`);
        return [buckets.done()]; // from here on every bucket would have the rows of another
      }
      seal.add(next.value);
      const rateable = { ...next.value, acceptedAtMs: acceptedAtMsOf(next.value.requestId) };
      rater.add(rateable);
      if (next.value.lease !== undefined) paid.add(rateable);
    }
    const [content] = seal.finish().tenants;
    if (content === undefined || textOf(content) !== textOf(bucket.tenant))
      buckets.add(`${nameOf(bucket)}: its rows are not those that were sealed`);
  }
  if (!(await source.next()).done) buckets.add("there are rows that no seal speaks of");
  return [buckets.done(), checkEvidence(document, digest.finish()), ...checkMoney(document, rater.finish(), paid.finish())];
}

function startCheck(name: string) {
  const differences: string[] = [];
  const check = {
    count: 0,
    add(difference: string) {
      if (differences.length < DIFFERENCES_MAX) differences.push(difference);
    },
    done: (): Check => ({ name, count: check.count, differences }),
  };
  return check;
}

function checkEvidence({ evidence }: InvoiceDocument, found: ReturnType<ReturnType<typeof createSealsDigest>["finish"]>): Check {
  const check = startCheck("the seals are those that the invoice names");
  check.count = found.buckets;
  if (evidence === null) check.add("the invoice is a draft and names none");
  else {
    for (const field of ["buckets", "revised", "rows", "sealsDigest"] as const) {
      if (evidence[field] !== found[field]) check.add(`${field}: ${found[field]} in the export, ${evidence[field]} in the invoice`);
    }
  }
  return check.done();
}

function checkMoney(document: InvoiceDocument, rated: Rated, paid: Rated): Check[] {
  const { lines, taxes, totals, currency } = document;
  const priced = startCheck("rows and prices give the invoice's lines");
  const said = lines.filter(({ component }) => component !== "adjustment").map((line) => canonicalJson(line));
  const made = [...rated.lines, ...prepaidLine({ paid, month: rated })]
    .map((line) => documentLine(line, lines[0]?.taxRateBps ?? 0))
    .map((line) => canonicalJson(line));
  priced.count = said.length;
  const [saidTexts, madeTexts] = [new Set(said), new Set(made)];
  for (const text of said.filter((each) => !madeTexts.has(each))) priced.add(`in the invoice only: ${text}`);
  for (const text of made.filter((each) => !saidTexts.has(each))) priced.add(`from the rows only: ${text}`);

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
  return [priced.done(), rounded.done(), taxed.done(), total.done()];
}

function placeOf({ requestId, tenant }: UsageRow): string {
  return `${minuteOf(acceptedAtMsOf(requestId))} ${tenant}`;
}

function nameOf({ minute, shard }: TenantBucket): string {
  return `${minute}#${shard}`;
}

function textOf({ tenant, rowCount, digest, sums, leases, perSecond }: TenantSeal): string {
  return canonicalJson({ tenant, rowCount, digest, sums, leases, perSecond });
}
