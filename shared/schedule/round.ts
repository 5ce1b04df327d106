import type { Clock } from "../base/clock.ts";

export type RoundCall = {
  readonly nowMs: number;
  readonly signal: AbortSignal;
  /** Whether the clock that told `nowMs` has been set back since: then `nowMs` was ahead, however right the clock is by now. Absent: it is not a clock's. */
  readonly isSetBack?: () => boolean;
};

/**
 * One round of a scheduled function. It does a bounded amount of work, begins nothing more once `signal` is aborted, and says whether more waits.
 * It may be killed anywhere, run twice at once, or come days late: the next round finds what is left.
 */
export type Round = (call: RoundCall) => Promise<{ readonly hasMore: boolean }>;

/** By which nobody's clock is set back in earnest. */
const SET_BACK_MS_MIN = 1_000;

/** The time of a round that begins now. */
export function timeOf(clock: Clock): Pick<RoundCall, "nowMs" | "isSetBack"> {
  const nowMs = clock.nowMs();
  return { nowMs, isSetBack: () => clock.nowMs() < nowMs - SET_BACK_MS_MIN };
}

/** Fails if a round's time was ahead: whatever is closed or expires by it would be too early. */
export function assertNotSetBack({ isSetBack }: Pick<RoundCall, "isSetBack">): void {
  if (isSetBack?.()) throw new Error("this clock was set back since the round began, and had been ahead; nothing is done by its time");
}
