/**
 * GCRA, the generic cell rate algorithm (ITU-T I.371): a policy's whole state is one instant, the theoretical arrival time (TAT).
 * All instants and costs here are integers in microseconds, so that stores add them exactly; only what one credit takes may be a fraction.
 */
export type Gcra = { readonly intervalUs: number; readonly burst: number };

export function gcraOf({ perSecond, burst }: { readonly perSecond: number; readonly burst: number }): Gcra {
  return { intervalUs: 1_000_000 / perSecond, burst };
}

/** What credits cost, rounded up: less would admit more than the rate, and over a long window more than the stated bound. */
export function costUs({ intervalUs }: Gcra, credits: number): number {
  return Math.ceil(credits * intervalUs);
}

/** How many credits the policy can hand out now, at most its burst. */
export function roomAt(policy: Gcra, tatUs: number, nowUs: number): number {
  const freeUs = costUs(policy, policy.burst) - Math.max(0, tatUs - nowUs);
  const credits = Math.max(0, Math.floor(freeUs / policy.intervalUs));
  // A division may round up what the multiplication does not.
  return costUs(policy, credits) <= freeUs ? credits : Math.max(0, credits - 1);
}

/** Microseconds until that many credits are free; 0 if they are. */
export function waitUs(policy: Gcra, { tatUs, credits }: { readonly tatUs: number; readonly credits: number }, nowUs: number): number {
  return Math.max(0, tatUs - nowUs - (costUs(policy, policy.burst) - costUs(policy, credits)));
}

/** Beyond this leases get no smaller, and those that die unused shrink by what is really used: one item takes 1,000 writes a second, and 2N/τ leases come of it. */
const LESSEES_MAX = 150;

/**
 * How many credits one lease takes: enough that few writes serve many requests, few enough that credits which die unused in
 * `lesseeCount` processes do not starve the tenant (b ≤ rate·τ / 2N). Slow policies lease one at a time: exact, and cheap at their rate.
 */
export function leaseSize(policy: Gcra, lease: { lifeMs: number; lesseeCount: number }): number {
  const perLife = (lease.lifeMs * 1_000) / policy.intervalUs;
  const isSlow = policy.intervalUs >= 200_000;
  return isSlow ? 1 : Math.max(1, Math.min(policy.burst, Math.floor(perLife / (2 * Math.min(lease.lesseeCount, LESSEES_MAX)))));
}
