import { backOf, dayOf, type Level, spent, tatOf, termsAt } from "./level.ts";
import type { CreditPolicy } from "./policy.ts";
import { isSameTerms } from "./terms.ts";

/** Credits that were charged with a lease and turned out not to be used. */
export type Refund = {
  readonly credits: number;
  /** As the lease left it. */
  readonly level: Level;
};

export type Correction = {
  readonly policy: CreditPolicy;
  /** Credits that were used beyond what had been charged. */
  readonly debt: number;
  readonly refunds: readonly Refund[];
  readonly nowUs: number;
};

/**
 * The level after a correction. A refund of a rate must not give back what time has given back already: credits charged at `t0` that made the TAT `T0` have flown
 * off by `T0` even if they were never used, and a policy that rests in the meantime does not save them up. So at most `T0 − now` comes back, less what others have
 * taken back since, which moved `T0` with it. Then the item stands as if the lease had been smaller from the start: the backlog never fell below what is taken off
 * it now, so that a smaller lease would have idled no more, and every bound that holds for leases holds for corrected ones. What was leased by other terms than
 * the item's is not given back: a change has counted it already.
 */
export function corrected(level: Level, { policy, debt, refunds, nowUs }: Correction): Level {
  const charged = debt === 0 ? level : spent(policy, { level, credits: debt }, nowUs);
  if (charged.kind === "day") {
    const back = refunds.filter((each) => each.level.kind === "day" && each.level.day === charged.day);
    return { ...charged, used: Math.max(0, charged.used - back.reduce((sum, { credits }) => sum + credits, 0)) };
  }
  let backUs = charged.backUs;
  const terms = termsAt(policy, charged, nowUs);
  if (terms === undefined) return charged;
  for (const { credits, level: leased } of refunds) {
    if (leased.kind === "day" || !isSameTerms(leased.terms, charged.terms)) continue;
    // Rounded down: what is charged is rounded up.
    const leftUs = tatOf(leased) - (backUs - backOf(leased)) - nowUs;
    backUs += Math.max(0, Math.min(Math.floor(credits * terms.gcra.intervalUs), leftUs));
  }
  return { ...charged, terms, tatUs: charged.tatUs - (backUs - charged.backUs), backUs, writtenAtUs: nowUs };
}

/** Whether anything of it can still come back; if not, the store need not be asked. */
export function isAlive({ level }: Refund, nowUs: number): boolean {
  return level.kind === "rate" ? level.tatUs > nowUs : level.day >= dayOf(nowUs);
}
