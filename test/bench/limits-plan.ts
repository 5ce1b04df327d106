import { type CreditPolicy, policiesOf } from "../../shared/limits/policy.ts";

/** What is asked of a policy by all processes together. */
export type Asked = {
  readonly policy: CreditPolicy;
  /** Three times what the policy allows, at least. */
  readonly requestsPerSecond: number;
  /** Credits per second that the policy allows. */
  readonly rate: number;
  /** Taken before the work, and what turns out to be used. */
  readonly estimate: number;
  readonly used: number;
  /** Whether it counts for the ratio; else it is shown. */
  readonly isJudged: boolean;
};

/** What a limiter process tells: which policy granted how much in which bucket of time, and what it has asked of the store so far. */
export type LimiterReport = {
  readonly granted: [policy: number, bucket: number, credits: number][];
  readonly writes: number;
  readonly reads: number;
  readonly firstAskMs: number;
};

export const BUCKET_MS = 10;
const OVERLOAD = 3;

/**
 * Rates that are leased and one that is checked one by one, and tokens whose estimate is 1.5 times too high. A burst that a rate fills within 20 ms is only shown: it is
 * full again before a busy store has answered, and what overflows is nobody's fault.
 */
export const POLICIES: readonly Asked[] = [
  requests({ requestsPerSecond: 1_000, burst: 1_000 }),
  requests({ requestsPerSecond: 1_000, burst: 200 }),
  { ...requests({ requestsPerSecond: 1_000, burst: 20 }), isJudged: false },
  requests({ requestsPerSecond: 50, burst: 100 }),
  requests({ requestsPerSecond: 5, burst: 5 }),
  tokens({ tokensPerMinute: 30_000, estimate: 300, used: 200 }),
];

function requests(rate: { requestsPerSecond: number; burst: number }): Asked {
  const [policy] = policiesOf({ tenant: { id: `r${rate.requestsPerSecond}-${rate.burst}`, rate }, key: { id: "k" } }).requests;
  if (policy === undefined) throw new Error("a rate is a policy");
  return {
    policy,
    requestsPerSecond: OVERLOAD * rate.requestsPerSecond,
    rate: rate.requestsPerSecond,
    estimate: 1,
    used: 1,
    isJudged: true,
  };
}

function tokens({ tokensPerMinute, ...asked }: { tokensPerMinute: number; estimate: number; used: number }): Asked {
  const limited = { id: "tokens", rate: { requestsPerSecond: 1, burst: 1 }, limits: { tokensPerMinute } };
  const [policy] = policiesOf({ tenant: limited, key: { id: "k" } }).tokens;
  if (policy === undefined) throw new Error("tokens are a policy");
  const rate = tokensPerMinute / 60;
  // A minute's worth may come at once: with more load it is used up early in the run.
  return { policy, requestsPerSecond: (5 * OVERLOAD * rate) / asked.used, rate, ...asked, isJudged: true };
}
