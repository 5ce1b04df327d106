import { Failure } from "../../base/failure.ts";

/** A number that is taken and whose bearer may not have it yet. */
export type Slot = { readonly number: number; readonly bearer: string; readonly atMs: number };

/** One series of legal numbers: the next one, and the slot that is being filled. A single item, so that there is no gap and no double. */
export type Book = { readonly next: number; readonly pending?: Slot };

export const BOOKS = { invoices: "invoices", credits: "credit-notes" } as const;
export type BookName = (typeof BOOKS)[keyof typeof BOOKS];

/** Conditional writes on a book's item; each answers whether its condition held. All may be repeated. */
export type InvoiceBookStore = {
  /** Read consistently; a book that nobody has written in is `{ next: 1 }`. */
  readonly read: (book: BookName) => Promise<Book>;
  /** Takes the number `slot.number` and makes it pending, if it is the next one and none is pending. */
  readonly take: (book: BookName, slot: Slot) => Promise<boolean>;
  /** The slot's bearer has its number: nothing is pending any more. */
  readonly clear: (book: BookName, slot: Slot) => Promise<boolean>;
  /** The slot's bearer has another number: the slot's is the next one again. One write, so that nobody sees a gap. */
  readonly rollBack: (book: BookName, slot: Slot) => Promise<boolean>;
};

/** What carries numbers: invoices, or credit notes. */
export type Bearers = {
  /** The number that it has for good; undefined while it has none. Fails if there is no such bearer or it must not get one. */
  readonly numberOf: (bearer: string) => Promise<number | undefined>;
  /**
   * Gives it the slot's number if it has none, by one conditional write; answers the number that it has now, whoever gave it.
   * Everything that could be refused was refused before: a bearer that comes here is frozen.
   */
  readonly assign: (slot: Slot) => Promise<number>;
};

/** How often somebody else's slot may be in the way before we give up for now. */
const TURNS_MAX = 100;

/**
 * Gives a bearer its number without gaps and without doubles, whoever else does the same and wherever somebody was killed:
 * take a slot → give its bearer the number → clear the slot. A slot that is found pending is somebody's unfinished work and is finished first.
 * A bearer never has two numbers, because it gets one by a conditional write; when its slot comes too late, the slot is rolled back.
 */
export async function issueNumber(
  series: { readonly book: BookName; readonly store: InvoiceBookStore; readonly bearers: Bearers },
  bearer: string,
  nowMs: number,
): Promise<number> {
  const { book, store, bearers } = series;
  for (let turn = 0; turn < TURNS_MAX; turn += 1) {
    const { next, pending } = await store.read(book);
    if (pending !== undefined) {
      await finish(series, pending);
      continue;
    }
    const number = await bearers.numberOf(bearer);
    if (number !== undefined) return number;
    const slot = { number: next, bearer, atMs: nowMs };
    // Whether it was taken by us, or by us unheard, or by another: the next turn finds what is pending and goes on from there.
    if (await store.take(book, slot)) await finish(series, slot);
  }
  throw new Failure("unavailable", `The book of ${book} is busy. Try again.`, { retryAfterMs: 1_000 });
}

/** Finishes the slot that is pending, if one is; for a run that begins after somebody was killed. */
export async function finishPending(series: Parameters<typeof issueNumber>[0]): Promise<void> {
  const { pending } = await series.store.read(series.book);
  if (pending !== undefined) await finish(series, pending);
}

async function finish({ book, store, bearers }: Parameters<typeof issueNumber>[0], slot: Slot): Promise<void> {
  const number = await bearers.assign(slot);
  await (number === slot.number ? store.clear(book, slot) : store.rollBack(book, slot));
}
