import type { RequestRate } from "../tenants/tenant.ts";

/**
 * GCRA, the generic cell rate algorithm (ITU-T I.371): a policy's whole state is one instant, the theoretical arrival time (TAT).
 * All instants here are integers in microseconds since the epoch, so that stores add them exactly.
 */
export type Gcra = { readonly intervalUs: number; readonly burst: number };

export function gcraOf(rate: RequestRate): Gcra {
  // Rounded up: a shorter interval would admit more than the rate, and over a long window more than the stated bound.
  return { intervalUs: Math.ceil(1_000_000 / rate.requestsPerSecond), burst: rate.burst };
}

/** How many credits the policy can hand out now, at most its burst. */
export function roomAt(policy: Gcra, tatUs: number, nowUs: number): number {
  const backlogUs = Math.max(0, tatUs - nowUs);
  return Math.max(0, Math.floor((policy.burst * policy.intervalUs - backlogUs) / policy.intervalUs));
}

/** Microseconds until one credit is free again; 0 if one is. */
export function waitUs(policy: Gcra, tatUs: number, nowUs: number): number {
  return Math.max(0, tatUs - nowUs - (policy.burst - 1) * policy.intervalUs);
}

/**
 * How many credits one lease takes: enough that few writes serve many requests, few enough that credits which die unused in
 * `lesseeCount` processes do not starve the tenant (b ≤ rate·τ / 2N). Slow policies lease one at a time: exact, and cheap at their rate.
 */
export function leaseSize(policy: Gcra, lease: { lifeMs: number; lesseeCount: number }): number {
  const perLife = (lease.lifeMs * 1_000) / policy.intervalUs;
  const isSlow = policy.intervalUs >= 200_000;
  return isSlow ? 1 : Math.max(1, Math.min(policy.burst, Math.floor(perLife / (2 * lease.lesseeCount))));
}
