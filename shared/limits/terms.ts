import { costUs, type Gcra } from "./gcra.ts";

/** What a TAT counts by, and the revision of the tenant or key that said so: a gateway that still knows an earlier one counts by these, too. */
export type Terms = { readonly gcra: Gcra; readonly revision: number };

/** As the store keeps the rate: two are the same if their texts are. */
export function textOfRate({ intervalUs, burst }: Gcra): string {
  return `${intervalUs}/${burst}`;
}

export function rateOf(text: string): Gcra {
  const [intervalUs, burst] = text.split("/").map(Number);
  if (intervalUs === undefined || burst === undefined || !(intervalUs > 0 && burst > 0)) throw new Error(`'${text}' is no rate of a limit`);
  return { intervalUs, burst };
}

/** Whether two levels count by the same terms since the same revision: then nothing was converted between them. */
export function isSameTerms(one: Terms | undefined, other: Terms | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  return one.revision === other.revision && textOfRate(one.gcra) === textOfRate(other.gcra);
}

/**
 * How far a TAT lies ahead once it counts by another rate. What is spent of a burst stays spent, as credits: so that over a change at most the larger burst is
 * admitted beyond the rates of their times. No more than the new burst counts, and what was charged beyond the old one takes no longer than it did: nobody whose
 * rate is lowered waits for longer than the new rate lets anybody wait.
 */
export function convertedUs(backlogUs: number, from: Gcra, to: Gcra): number {
  const burstUs = Math.min(backlogUs, costUs(from, from.burst));
  const debtUs = (backlogUs - burstUs) * Math.min(1, to.intervalUs / from.intervalUs);
  return costUs(to, Math.min(burstUs / from.intervalUs, to.burst)) + Math.ceil(debtUs);
}
