import { Failure } from "../base/failure.ts";
import type { LeanDynamo } from "./lean-client.ts";

/** Clocks may be so far from the store's. Beyond it a row's minute would lie, and what one gateway writes of a limit would lock the others out. */
export const CLOCK_SKEW_MS_MAX = 30_000;
/** So far can two sound clocks be apart: one ahead, one behind, as far as a header of whole seconds shows it. */
export const CLOCKS_APART_MS_MAX = 2 * CLOCK_SKEW_MS_MAX + 1_000;

type Compared = Pick<LeanDynamo, "clockSkewMs">;

export function isSoundClock(store: Compared): boolean {
  return Math.abs(store.clockSkewMs()) <= CLOCK_SKEW_MS_MAX;
}

export function clockIsOff(store: Compared): Failure {
  const skewSeconds = Math.round(store.clockSkewMs() / 1000);
  const message = `This process's clock is ${skewSeconds} s off the store's, or was; what would be counted, metered or decided by it waits until it is right.`;
  return new Failure("unavailable", message, { retryAfterMs: CLOCK_SKEW_MS_MAX });
}
