import type { Guard } from "../harness/fake-dynamo/guards.ts";

/** A condition or a consistent read that money depends on; `coveredBy` are those that refuse the same when it alone is gone. */
export type Listed = {
  readonly guard: Guard;
  readonly what: string;
  readonly coveredBy?: readonly Guard[];
  /** Why nothing can come of its absence, where the ledger's design asks for it all the same. */
  readonly unreachable?: string;
};

const CHECKPOINT = "ledger: SET pg=? WHERE e, pg, st";
const SETTLE = "ledger: SET st='S' WHERE e, st";
const VOID = "ledger: SET st='X' WHERE e, st";
const ANNUL = "ledger: SET e=?, SET st='X' WHERE e, st";
const EXPIRE = "ledger: SET e=?, SET st='S' WHERE e, pg, st";
const DROP = "ledger: SET e=?, SET st='X' WHERE e, pg, st";
const SECOND_SEAL = "seals: SET a.*=?, SET r2.*=? WHERE a.*, r2.*";
const LATE_SEAL = "seals: SET a.*=?, SET r1.*=? WHERE a.*, r1.*";
const TAKE = "balances: SET nx=?, SET pn=? WHERE nx, pn";
const CLEAR = "balances: REMOVE pb, REMOVE pn WHERE pb, pn";
const FORGET = "idempotency: REMOVE b, REMOVE bk, REMOVE hd WHERE ri";
const CONSISTENT = "ConsistentRead";
const IS_NEWER = "(attribute_not_exists(pk) or n < ?)";

const row = (step: string, condition: string, what: string, ...coveredBy: string[]): Listed => ({
  guard: `${step} IF ${condition}`,
  what,
  ...(coveredBy.length === 0 ? {} : { coveredBy: coveredBy.map((each) => (each.includes(" IF ") ? each : `${step} IF ${each}`)) }),
});

/** Every one that the histories' calls say: a new one in the product is not in it, and fails them until it is. */
export const MONEY: readonly Listed[] = [
  row("ledger: put m st='P'", "attribute_not_exists(pk)", "a row is reserved only where there is none"),
  row(CHECKPOINT, "st = 'P'", "a checkpoint wants the row pending"),
  row(CHECKPOINT, "e = ?", "a checkpoint wants its own epoch", "st = 'P'"),
  row(CHECKPOINT, "pg <= ?", "a checkpoint wants no later one"),
  row(SETTLE, "st = 'P'", "settling wants the row pending"),
  row(SETTLE, "e = ?", "settling wants its own epoch", "st = 'P'"),
  row(VOID, "st = 'P'", "voiding wants the row pending"),
  row(VOID, "e = ?", "voiding wants its own epoch", "st = 'P'"),
  row(ANNUL, "st = 'P'", "annulling another's row wants it pending"),
  row(ANNUL, "e = ?", "annulling another's row wants the epoch that was read", "st = 'P'"),
  row("ledger: put m st='X'", "attribute_not_exists(pk)", "a place is taken only where no row is"),
  row(EXPIRE, "st = 'P'", "expiring a covered row wants it pending"),
  row(EXPIRE, "e = ?", "expiring a covered row wants the epoch that was read", "st = 'P'"),
  row(EXPIRE, "pg = ?", "expiring a covered row wants the checkpoint that was read"),
  row(DROP, "st = 'P'", "expiring a row without output wants it pending"),
  {
    ...row(DROP, "e = ?", "expiring a row without output wants the epoch that was read"),
    unreachable:
      "an epoch ends with its row's being pending, and nothing is pending again: where another has come, the row is not pending, which is asked, too; and one that covers nothing is void then, as this would make it",
  },
  row(DROP, "pg = ?", "expiring a row without output wants the checkpoint that was read"),
  row("ledger: get m", CONSISTENT, "who was refused looks at the row as it is"),
  row("ledger: query m", CONSISTENT, "a bucket is read as it is"),
  row("ledger: query m a range", CONSISTENT, "a retry looks at the earlier row as it is", `${ANNUL} IF st = 'P'`),
  row("idempotency: put", "attribute_not_exists(pk)", "a key is claimed only if nobody has"),
  row("idempotency: put", "e = ?", "a key is taken over at the epoch that was read"),
  row("idempotency: SET b=?, SET hd=? WHERE ri", "ri = ?", "an answer is kept by its own request"),
  row("idempotency: SET bk=?, SET hd=? WHERE ri", "ri = ?", "a large answer is kept by its own request"),
  row(FORGET, "ri = ?", "an answer is forgotten for its own request"),
  row("idempotency: get", CONSISTENT, "a key is read as it is"),
  row("seals: SET r1.*=? WHERE r1.*", "attribute_not_exists(r1.*)", "a bucket is sealed once"),
  row("seals: SET a.*=? WHERE a.*", "attribute_not_exists(a.*)", "a bucket is read again once"),
  row(SECOND_SEAL, "attribute_not_exists(a.*)", "a bucket that has changed is read again once", "attribute_not_exists(r2.*)"),
  row(SECOND_SEAL, "attribute_not_exists(r2.*)", "a bucket is sealed anew once", "attribute_not_exists(a.*)"),
  row(LATE_SEAL, "attribute_not_exists(a.*)", "a bucket sealed a day late is read once", "attribute_not_exists(r1.*)"),
  row(LATE_SEAL, "attribute_not_exists(r1.*)", "a bucket sealed a day late is sealed once"),
  row("seals: put state frontier", "attribute_not_exists(pk)", "sealing begins once"),
  row("seals: SET next=? WHERE next", "next < ?", "the frontier only moves on"),
  row("seals: put hours", IS_NEWER, "an hour's state gives way to a newer one only"),
  row("seals: put t hour", IS_NEWER, "an hour's total gives way to a newer one only"),
  row("seals: put t day", IS_NEWER, "a day's total gives way to a newer one only"),
  row("seals: put t month", IS_NEWER, "a month's total gives way to a newer one only"),
  row("seals: get state frontier", CONSISTENT, "the frontier is read as it is"),
  row("seals: query h head", CONSISTENT, "seals are read as they are"),
  row("seals: query t hour", CONSISTENT, "hours' totals are read as they are"),
  row("seals: query t day", CONSISTENT, "days' totals are read as they are"),
  row("balances: put balance", "attribute_not_exists(pk)", "a first balance is put once"),
  row("balances: put balance", "v = ?", "a balance follows from the one that was read"),
  row("balances: get balance", CONSISTENT, "a balance is read as it is"),
  row("control: put credit r", "attribute_not_exists(pk)", "a credit's word is said once"),
  row("control: query credit r", CONSISTENT, "a credit's word is read as it is"),
  row(TAKE, "(nx = ? or attribute_not_exists(nx))", "the first number is the next one"),
  row(TAKE, "nx = ?", "a number is the next one"),
  {
    ...row(TAKE, "attribute_not_exists(pn)", "a number is taken when none is pending"),
    unreachable:
      "whoever takes a number has read a book in which it was the next one and none was pending; from then on the next one is higher while one is pending, and the same again only when that is rolled back: where it is still that number, which is asked, too, none is pending",
  },
  row(CLEAR, "pn = ?", "a pending number is cleared by that number", "pb = ?"),
  row(CLEAR, "pb = ?", "a pending number is cleared for its bearer", "pn = ?"),
  row("control: put invoice r", "attribute_not_exists(pk)", "an invoice's revision is put once"),
  row("control: query invoice r", CONSISTENT, "an invoice is read as it is"),
  row("control: put credit-note r", "attribute_not_exists(pk)", "a credit note's revision is put once"),
  row("control: put replacement r", "attribute_not_exists(pk)", "a replacement's revision is put once"),
];

/** What the histories meet besides, and why no promise about money rests on it there. */
export const OTHERS: readonly (readonly [RegExp, string])[] = [
  [/^limits: /, "decides who is admitted"],
  [/^control: (put|query) (key|key-use|model|split|version)\b/, "decides who may ask, and what for"],
  [/^control: query (tenant|prices|seller|deletion) /, "nobody changes it in a history"],
  [/^events: /, "decides how often somebody is told"],
  [/^seals: get t (hour|day|month) /, "read by the verdict alone"],
  // What follows was looked for in 20 histories each and more that lean towards it. These reads are consistent for who waits, and not for money.
  [/^seals: get h head /, "who closes a bucket again on an old view is refused again, twenty times, and leaves it to the next round"],
  [/^seals: query h page /, "a page is named by its hash: one that is not seen yet is missed, and the round comes again"],
  [/^seals: query agenda /, "an hour that is not seen yet is worked on a round later, and one that is done already has nothing left to do"],
  [/^seals: query hours /, "what is said of an hour only grows: an old view says less, and whoever needs more waits"],
  [/^balances: get book /, "a number is taken, and cleared, only from the book as it is: by an old view it is asked for again"],
  [
    /^control: query credit-note /,
    "what a note may become depends on its invoice alone: who sees an old one is refused its next revision, and asks again",
  ],
  [/^control: query replacement /, "whoever sees an old one writes what is there, which is refused, and asks again"],
  [/^balances: get invoicing /, "a hint: by an old one months are gone through again whose invoices are there"],
];

export function isListed(guard: Guard): boolean {
  return MONEY.some((each) => each.guard === guard) || OTHERS.some(([name]) => name.test(guard));
}
