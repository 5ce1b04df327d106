import type { Clock } from "../base/clock.ts";
import { type Round, timeOf } from "./round.ts";

/** Left of a function's time to end a round in order. */
const RESERVE_MS = 10_000;
const ROUNDS_MAX = 1_000;

/** What a Lambda handler gets beside its event, as far as rounds want it. */
export type LambdaContext = { readonly getRemainingTimeInMillis: () => number };

/** A Lambda handler that runs rounds until nothing waits or its time is nearly over; the schedule's next event goes on from there. */
export function handlerOf(round: Round, clock: Clock) {
  return async (_event: unknown, context: LambdaContext): Promise<{ rounds: number; hasMore: boolean }> => {
    const signal = AbortSignal.timeout(Math.max(0, context.getRemainingTimeInMillis() - RESERVE_MS));
    let rounds = 0;
    let hasMore = true;
    while (hasMore && !signal.aborted && rounds < ROUNDS_MAX) {
      ({ hasMore } = await round({ ...timeOf(clock), signal }));
      rounds += 1;
    }
    return { rounds, hasMore };
  };
}
