import { SEAL_AFTER_MS } from "../../functions/sealer/sealer.ts";
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../../shared/usage/period.ts";
import type { Leaning } from "./focus.ts";

/** Requests alone: nothing goes wrong at the month's end, and nobody pays before. */
const REQUESTS: Leaning = { isMonthEndCalm: true, prepaidShare: 0, invoicerCount: 0, trafficMs: 40_000, sealersAheadMs: 0, sealerCount: 1 };
/** Sealers that expire what is still worked on. */
const AHEAD: Leaning = { sealersAheadMs: SEAL_AFTER_MS + 2.5 * MINUTE_MS, sealerCount: 3 };
const STREAMS: Leaning = { ...REQUESTS, keyedShare: 0, streamShare: 1 };
/** Calls that come when their caller has long given them up, and some that never do. */
const LATE: Leaning = { focused: { throttled: 0, failed: 0, late: 0.7, lostCall: 0.15, lostAnswer: 0.05 } };
/** Work takes long, and gateways' clocks are set from behind to ahead meanwhile: a row whose request is at work looks expired to who retries it. */
const MISTAKEN: Leaning = {
  ...{ clocksJumpMs: 28_000, gatewayCount: 3, callersOfKey: 3, retryMsMax: 4_000, keyedShare: 1 },
  engine: { slowShare: 1, slowMsMax: 40_000, slowEventMsMax: 8_000 },
};
/** Of requests with a key, which are asked again when all is over. */
const KEYED: Leaning = { ...REQUESTS, ...LATE, keyedShare: 1, againShare: 1 };

/** Streams that sealers expire while they are at work. */
const COVERED: Leaning = { ...STREAMS, ...LATE, ...AHEAD, orderCount: 16, gatewayStepsMax: 800, lateMsMax: 30_000 };
/** Rows of whole answers, whose settling is not acknowledged, so that they are given up. */
const UNHEARD: Leaning = {
  ...{ ...REQUESTS, prepaidShare: 1, keyedShare: 0, streamShare: 0, orderCount: 16 },
  focused: { throttled: 0, failed: 0, late: 0.2, lostCall: 0.1, lostAnswer: 0.5 },
};
/** Who asks again, soon, and is told what was. */
const STALE: Leaning = { ...REQUESTS, keyedShare: 1, streamShare: 0, orderCount: 16, againShare: 1, lagMsMax: 40_000, staleShare: 0.6 };

/** What brings about that a condition of a row or of a key matters, by the guard's name: the first that fits. */
export const LEANINGS_OF_REQUESTS: readonly (readonly [RegExp, Leaning])[] = [
  // A first request fails in one hour, its retry is answered in the next, and the first one's hour is read again.
  [
    /^idempotency: REMOVE/,
    {
      ...{ isTrafficCalm: true, prepaidShare: 0, invoicerCount: 0, trafficMs: 20_000, sealersAheadMs: 0, sealerCount: 2, closesLateMs: 0 },
      ...{ keyedShare: 1, streamShare: 0.5, startsAfterMs: 58.5 * MINUTE_MS, engine: { failsBefore: 0.7 } },
    },
  ],
  // An answer comes to its key when the request that made it was given up, and its retry is answered.
  [/^idempotency: SET bk/, { ...KEYED, streamShare: 1, tokensMax: 2_000, engine: { tokensMax: 2_000 }, lateMsMax: 180_000 }],
  [/^idempotency: SET b=/, { ...KEYED, streamShare: 0.3, lateMsMax: 60_000 }],
  // Several see at once that a request has failed, and the claim of one comes when another has been answered.
  [
    /^idempotency: put/,
    { ...KEYED, callersOfKey: 3, retryMsMax: 1_500, streamShare: 0.3, engine: { failsBefore: 0.6 }, lateMsMax: 20_000 },
  ],
  // Its item is seen as it was before its answer was kept.
  [
    /^idempotency: get/,
    { ...STALE, isTrafficCalm: true, impatientShare: 0, retryMsMax: 1_500, engine: { slowShare: 1, slowMsMax: 30_000 } },
  ],
  // Its row is seen as it was before it was settled, and its end as over.
  [/^ledger: query m a range/, { ...STALE, ...MISTAKEN, callersOfKey: 1 }],
  // A bucket is seen as it was when it was empty: the store says of no view how old it may be.
  [
    /^ledger: query m IF/,
    {
      sealersAheadMs: 0,
      sealerCount: 3,
      invoicerCount: 1,
      closesLateMs: 0,
      trafficMs: 30_000,
      keyedShare: 0.3,
      lagMsMax: DAY_MS + 2 * HOUR_MS,
    },
  ],
  [/^ledger: put m st='P'/, { ...REQUESTS, keyedShare: 0.4 }],
  // Who was not heard looks at its row, and sees it as it was before.
  [/^ledger: get m/, { ...UNHEARD, lagMsMax: 30_000 }],
  [/^ledger: SET st='X' WHERE e, st IF st/, UNHEARD],
  // A request that looks expired settles while its row is annulled; or is expired by a sealer meanwhile.
  [/^ledger: SET e=\?, SET st='X' WHERE e, st IF st/, { ...REQUESTS, ...LATE, ...MISTAKEN, streamShare: 0.3, lateMsMax: 20_000 }],
  [
    /^ledger: SET e=\?, SET st='X' WHERE e, st IF e/,
    {
      ...{
        ...REQUESTS,
        ...LATE,
        ...MISTAKEN,
        ...AHEAD,
        streamShare: 1,
        orderCount: 8,
        callersOfKey: 2,
        gatewayStepsMax: 2_000,
        lateMsMax: 60_000,
      },
      engine: { slowShare: 1, slowEventMsMax: 20_000, failsWithin: 0, failsBefore: 0 },
    },
  ],
  // A request that looks as if it had died before its row was reserved reserves it while its place is taken.
  [
    /^ledger: put m st='X'/,
    {
      ...{
        ...REQUESTS,
        ...LATE,
        ...MISTAKEN,
        streamShare: 0.3,
        orderCount: 16,
        callersOfKey: 2,
        retryMsMax: 2_000,
        gatewayStepsMax: 2_000,
      },
      ...{ trafficMs: 12_000, lateMsMax: 10_000, engine: { slowShare: 1, slowMsMax: 5_000 } },
    },
  ],
  // A row without output that was read as over is settled, or gets its first output, before it is expired.
  [
    /^ledger: SET e=\?, SET st='X' WHERE e, pg, st IF st/,
    { ...REQUESTS, ...LATE, ...AHEAD, keyedShare: 1, streamShare: 0, engine: { slowShare: 1, slowMsMax: 30_000 }, lateMsMax: 30_000 },
  ],
  [
    /^ledger: SET e=\?, SET st='X' WHERE e, pg, st IF/,
    { ...STREAMS, ...LATE, ...AHEAD, orderCount: 16, engine: { beginsMsMax: 15_000 }, lateMsMax: 30_000 },
  ],
  // The same of one with output, which a retry may annul meanwhile.
  [
    /^ledger: SET e=\?, SET st='S' WHERE e, pg, st IF e/,
    { ...REQUESTS, ...LATE, ...MISTAKEN, ...AHEAD, streamShare: 1, lateMsMax: 60_000 },
  ],
  [/^ledger: SET e=\?, SET st='S' WHERE e, pg, st IF st/, { ...COVERED, tokensMax: 64, engine: { slowShare: 1, slowEventMsMax: 6_000 } }],
  [/^ledger: SET e=\?, SET st='S' WHERE e, pg, st IF/, { ...COVERED, engine: { slowShare: 1, slowEventMsMax: 3_000 } }],
  // Settling comes when its request was given up and its row is void; or expired.
  [
    /^ledger: SET st='S' WHERE e, st IF st/,
    { ...REQUESTS, ...LATE, keyedShare: 0.5, prepaidShare: 0.4, streamShare: 0, lateMsMax: 60_000 },
  ],
  [/^ledger: SET st='S' WHERE e, st IF e/, { ...STREAMS, ...LATE, ...AHEAD, lateMsMax: 90_000 }],
  // What brought nothing is given up when a sealer has billed it as far as it was covered.
  [
    /^ledger: SET st='X' WHERE e, st IF e/,
    { ...STREAMS, ...AHEAD, orderCount: 16, tokensMax: 12, engine: { failsWithin: 1 }, lateMsMax: 60_000 },
  ],
  // A checkpoint comes after a later one, or when its row has expired.
  [/^ledger: SET pg=\? WHERE e, pg, st IF e/, { ...STREAMS, ...AHEAD, orderCount: 4, lateMsMax: 60_000 }],
  [/^ledger: SET pg/, { ...STREAMS, orderCount: 16, gatewayStepsMax: 800, lateMsMax: 8_000 }],
];
