import type { Clock } from "../../shared/base/clock.ts";

/** A clock that stands until it is told to move. */
export type StoppedClock = Clock & { readonly advance: (byMs: number) => void };

/** Starts at the machine's time, since the ledger compares it with the store's. */
export function stopClock(): StoppedClock {
  let atMs = Date.now();
  return {
    nowMs: () => atMs,
    advance(byMs) {
      atMs += byMs;
    },
  };
}
