import { costUs } from "./gcra.ts";
import type { CreditPolicy } from "./policy.ts";

/** Credits that were charged with a lease and turned out not to be used. */
export type Refund = {
  readonly credits: number;
  /** The lease's own TAT, and what had been taken back by then. */
  readonly tatUs: number;
  readonly backUs: number;
};

export type Correction = {
  readonly policy: CreditPolicy;
  /** Credits that were used beyond what had been charged. */
  readonly debt: number;
  readonly refunds: readonly Refund[];
  readonly nowUs: number;
};

export type Change = {
  /** By how much the TAT moves; negative, back. */
  readonly byUs: number;
  /** What has been taken back in all, then. */
  readonly backUs: number;
};

/**
 * What a correction does to an item. A refund must not give back what time has given back already: credits charged at `t0` that made the TAT `T0` have flown off by
 * `T0` even if they were never used, and a policy that rests in the meantime does not save them up. So at most `T0 − now` comes back, less what others have taken
 * back since, which moved `T0` with it. Then the item stands as if the lease had been smaller from the start: the backlog never fell below what is taken off it
 * now, so that a smaller lease would have idled no more, and every bound that holds for leases holds for corrected ones.
 */
export function changeOf({ policy, debt, refunds, nowUs }: Correction, backUs: number): Change {
  if (policy.refill.kind !== "rate") return { byUs: 0, backUs };
  const { gcra } = policy.refill;
  let backNow = backUs;
  for (const refund of refunds) {
    const leftUs = refund.tatUs - (backNow - refund.backUs) - nowUs;
    backNow += Math.max(0, Math.min(Math.floor(refund.credits * gcra.intervalUs), leftUs));
  }
  return { byUs: costUs(gcra, debt) - (backNow - backUs), backUs: backNow };
}

/** Whether anything of it can still come back; if not, the store need not be asked. */
export function isAlive({ tatUs }: Refund, nowUs: number): boolean {
  return tatUs > nowUs;
}
