import type { RevisionLog } from "../../dynamo/revision-log.ts";
import type { LeaseUse, SealedSum } from "../../usage/seals/seal.ts";
import { dearest, pricedParts } from "../prices/cost.ts";
import type { PriceBook } from "../prices/price-book.ts";
import { type EntryOf, type EntryPlan, planEntries } from "../prices/price-plan.ts";
import { readBook } from "../prices/read-book.ts";
import { bookOfLease } from "./leases.ts";

/** What rows of a lease cost, from their sums: prices per request, token and millisecond only, so that nothing depends on which rows they were. */
export function sumPicoOf(
  entry: EntryPlan | undefined,
  sum: Pick<SealedSum, "tier" | "requests" | "inputTokens" | "outputTokens" | "computeMs">,
): bigint {
  if (entry === undefined) return 0n; // nothing prices it
  return pricedParts(entry, sum).reduce((pico, { component, scale, count }) => {
    return pico + dearest(scale) * BigInt(component === "perRequest" ? sum.requests : count);
  }, 0n);
}

/** Looks up what a revision of a book charges; for one round of audits. */
export type RevisionPrices = (book: string, revision: number) => Promise<EntryOf>;

export function createRevisionPrices(log: Pick<RevisionLog<PriceBook>, "history">): RevisionPrices {
  const books = new Map<string, Promise<ReadonlyMap<number, EntryOf>>>();
  const load = async (book: string) => {
    const revisions = await readBook(log, book, 0);
    return new Map(revisions.map(({ revision, body }) => [revision, planEntries(body).entryOf]));
  };
  return async (book, revision) => {
    const known = books.get(book) ?? load(book);
    books.set(book, known);
    const entryOf = (await known).get(revision);
    if (entryOf === undefined) throw new Error(`rows are priced by revision ${revision} of the book '${book}', which there is not`);
    return entryOf;
  };
}

/** What a lease's rows cost, by the very revisions that priced them when they were admitted. */
export async function leasePicoOf({ lease, sums }: LeaseUse, prices: RevisionPrices): Promise<bigint> {
  let pico = 0n;
  for (const sum of sums) {
    const entryOf = await prices(bookOfLease(lease), sum.priceVersion);
    pico += sumPicoOf(entryOf(sum.model, sum.version), sum);
  }
  return pico;
}
