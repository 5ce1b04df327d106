import { LRUCache } from "lru-cache";
import type { Clock } from "../base/clock.ts";
import { type Gcra, leaseSize, roomAt, waitUs } from "./gcra.ts";

/** Credits that are not used within this time die; it is the τ of the bound `admitted ≤ burst + rate·(W + τ + clock skew)`. */
export const LEASE_LIFE_MS = 1_000;
const POLICIES_MAX = 50_000;
/** While this share of a lease is left, the next one is fetched in the background. */
const REFILL_AT = 0.25;

export type Verdict =
  | { readonly isAdmitted: true; readonly remaining: number; readonly fullInMs: number }
  | { readonly isAdmitted: false; readonly remaining: 0; readonly retryAfterMs: number };

/** Holds policies to their rates over any number of gateway processes. */
export type RateLimiter = {
  /** Takes one credit of the named policy. Fails with `unavailable` if a lease is needed and the store cannot give one. */
  readonly take: (policyKey: string, policy: Gcra) => Promise<Verdict>;
};

export type Lease = {
  /** Credits handed over; 0 means that the policy has none. */
  readonly granted: number;
  readonly tatUs: number;
  /** Processes that took leases of this policy of late, this one included. */
  readonly lesseeCount: number;
};

export type LeaseRequest = {
  readonly policyKey: string;
  readonly policy: Gcra;
  readonly want: number;
  readonly nowUs: number;
  /** The TAT as this process last saw it, 0 if never: a guess that saves a write. */
  readonly lastTatUs: number;
};

/** Where the theoretical arrival times live: one item per policy, moved by conditional writes. */
export type LeaseStore = { readonly lease: (request: LeaseRequest) => Promise<Lease> };

type Credits = { count: number; readonly diesAtMs: number; readonly granted: number };
type PolicyState = {
  credits: Credits[];
  lesseeCount: number;
  tatUs: number;
  deniedUntilMs: number;
  refill: Promise<void> | undefined;
};

export function createRateLimiter(store: LeaseStore, clock: Clock): RateLimiter {
  const states = new LRUCache<string, PolicyState>({ max: POLICIES_MAX });
  return {
    async take(policyKey, policy) {
      const state = states.get(policyKey) ?? newState();
      states.set(policyKey, state);
      const refill = () => (state.refill ??= fetchLease({ store, clock, policyKey, policy }, state));
      // Others who wait for the same lease may use it up first, so a further one may be needed; each turn is one store call.
      for (let turn = 0; !spend(state, clock.nowMs()); turn += 1) {
        if (state.deniedUntilMs > clock.nowMs() || turn === TURNS_MAX) return denied(state, clock.nowMs());
        await refill();
      }
      if (needsRefill(state, policy, clock.nowMs())) refill().catch(() => {}); // whoever needs credits will see the store's failure
      return admitted(state, policy, clock.nowMs());
    },
  };
}

const TURNS_MAX = 20;

function newState(): PolicyState {
  return { credits: [], lesseeCount: 1, tatUs: 0, deniedUntilMs: 0, refill: undefined };
}

type Refill = { store: LeaseStore; clock: Clock; policyKey: string; policy: Gcra };

async function fetchLease({ store, clock, policyKey, policy }: Refill, state: PolicyState) {
  try {
    const askedAtMs = clock.nowMs();
    const want = leaseSize(policy, { lifeMs: LEASE_LIFE_MS, lesseeCount: state.lesseeCount });
    const lease = await store.lease({ policyKey, policy, want, nowUs: askedAtMs * 1_000, lastTatUs: state.tatUs });
    state.lesseeCount = lease.lesseeCount;
    state.tatUs = lease.tatUs;
    // Credits live from the moment they were asked for: a slow store must not lengthen τ.
    if (lease.granted > 0) state.credits.push({ count: lease.granted, granted: lease.granted, diesAtMs: askedAtMs + LEASE_LIFE_MS });
    else
      state.deniedUntilMs =
        askedAtMs + Math.max(1, Math.ceil(waitUs(policy, { tatUs: lease.tatUs, credits: 1 }, askedAtMs * 1_000) / 1_000));
  } finally {
    state.refill = undefined;
  }
}

function spend(state: PolicyState, nowMs: number): boolean {
  state.credits = state.credits.filter((each) => each.count > 0 && each.diesAtMs > nowMs);
  const [oldest] = state.credits;
  if (oldest === undefined) return false;
  oldest.count -= 1;
  return true;
}

function needsRefill(state: PolicyState, policy: Gcra, nowMs: number): boolean {
  const [oldest] = state.credits;
  const isLow = state.credits.length === 1 && oldest !== undefined && oldest.granted > 1 && oldest.count <= oldest.granted * REFILL_AT;
  return isLow && state.deniedUntilMs <= nowMs && roomAt(policy, state.tatUs, nowMs * 1_000) > 0;
}

function denied(state: PolicyState, nowMs: number): Verdict {
  return { isAdmitted: false, remaining: 0, retryAfterMs: Math.max(1, state.deniedUntilMs - nowMs) };
}

function admitted(state: PolicyState, policy: Gcra, nowMs: number): Verdict {
  const held = state.credits.reduce((sum, each) => sum + each.count, 0);
  const backlogMs = Math.max(0, state.tatUs / 1_000 - nowMs);
  const remaining = Math.min(policy.burst, held + roomAt(policy, state.tatUs, nowMs * 1_000));
  return { isAdmitted: true, remaining, fullInMs: backlogMs };
}
