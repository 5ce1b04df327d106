import { SEAL_AFTER_MS } from "../../functions/sealer/sealer.ts";
import { MINUTE_MS } from "../../shared/usage/period.ts";
import type { Leaning } from "./focus.ts";

/** Sealers that seal what is still worked on, so that rows come late. */
const AHEAD: Leaning = { sealersAheadMs: SEAL_AFTER_MS + 2.5 * MINUTE_MS, sealerCount: 3, keyedShare: 0.5, closesLateMs: 0, deedCount: 0 };
/** Some see what was. */
const STALE: Leaning = { lagMsMax: 40_000, staleShare: 0.4 };
const CREDITS: Leaning = { ...STALE, isMonthEndCalm: true, prepaidShare: 1, gatewayCount: 3, keyedShare: 0, trafficMs: 30_000 };
const INVOICES: Leaning = {
  ...{ isTrafficCalm: true, keyedShare: 0, trafficMs: 30_000, streamShare: 0.3 },
  ...{ ...STALE, prepaidShare: 0.3, invoicerCount: 3, sealerCount: 1, deedCount: 0 },
};
/** Operators at work on what was issued, beside the functions. */
const CORRECTIONS: Leaning = { ...INVOICES, gatewayCount: 2, deedCount: 12, staleShare: 0.7 };
/** Calls that come when their caller has said them again, and gone on. */
const UNHEARD: Leaning = { focused: { throttled: 0, failed: 0, lostCall: 0, lostAnswer: 0.1, late: 0.8 } };
/** Functions that were off for a day have all of it to seal, add up and invoice at once, in fair weather. */
const AFTER_A_DAY: Leaning = {
  ...{ areFunctionsLate: true, isTrafficCalm: true, isFair: true, sealersAheadMs: 0 },
  ...{ keyedShare: 0, trafficMs: 30_000, closesLateMs: 0, prepaidShare: 0, deedCount: 0 },
};

/** What brings about that a condition of a function's step or a consistent read of it matters, by the guard's name: the first that fits. */
export const LEANINGS_OF_FUNCTIONS: readonly (readonly [RegExp, Leaning])[] = [
  // Whoever does not see that its word was kept asks again, and is told that another has said it.
  [/^control: query credit r/, { ...CREDITS, staleShare: 1 }],
  // A credit's word comes when its operator has said it again, and its balance has moved on.
  [/^control: put credit r/, { ...CREDITS, ...UNHEARD, lateMsMax: 60_000 }],
  [/^balances: (get|put) balance|^control: .* credit /, CREDITS],
  // Who took a credit from an invoice, or asked for another, sees it as it was when somebody else was faster.
  [/^control: (query invoice|.* (credit-note|replacement)) /, CORRECTIONS],
  // A number's bearer gets it late enough for an old call to clear it.
  [/^balances: REMOVE/, { ...INVOICES, ...UNHEARD, isFair: true, invoicerCount: 5, hasDrafts: true, lateMsMax: 8_000 }],
  [/^balances: |^control: .* (invoice|seller|prices|tenant) /, INVOICES],
  // Of two clocks one thinks that a day, or an hour, is over, and the other not yet.
  [/^seals: SET (a\.\*=\?, SET r1|next)/, { ...AFTER_A_DAY, sealerCount: 3, clockErrorMs: 25_000 }],
  // Rounds that end in the middle of an hour leave totals of a part of it.
  [/^seals: put t /, { ...AFTER_A_DAY, sealerCount: 2, roundMsMax: 250, lateMsMax: 40_000, invoicerCount: 1 }],
  // Whoever reads right after it was sealed sees less than has been said of it.
  [/^seals: (get|query) /, { ...AFTER_A_DAY, ...STALE, closesLateMs: 30_000, prepaidShare: 0.3, sealerCount: 2, invoicerCount: 2 }],
  [/^seals: .*(a\.\*|r2)/, { ...AHEAD, invoicerCount: 0 }],
  [/^seals: /, { ...AHEAD, ...STALE, invoicerCount: 1, lateMsMax: 40_000 }],
];
