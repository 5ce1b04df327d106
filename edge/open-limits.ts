import type { Clock } from "../shared/base/clock.ts";
import { createCreditLimiter, type LeaseStore } from "../shared/limits/limiter.ts";
import { createSlotLimiter, SLOT_RENEW_MS, type SlotStore } from "../shared/limits/slots.ts";
import type { Limiters } from "./rate-limit-headers.ts";

/** How long what requests have really used may wait before it is written. */
const CORRECTION_MS = 500;

export type OpenLimits = Limiters & {
  /** Writes what is owed, and gives back what is held. */
  readonly close: () => Promise<void>;
};

export type LimitSettings = { readonly leases: LeaseStore; readonly slotStore: SlotStore; readonly clock: Clock };

/** The limiters of one process, with the timers that they live by. */
export function openLimits({ leases, slotStore, clock }: LimitSettings): OpenLimits {
  const random = Math.random;
  const limiter = createCreditLimiter({ store: leases, clock, random });
  const later = (ms: number, work: () => void) => void setTimeout(work, ms).unref();
  const slots = createSlotLimiter({ store: slotStore, clock, random, later });
  const timers = [
    setInterval(() => void limiter.flush(), CORRECTION_MS).unref(),
    setInterval(() => void slots.renew(), SLOT_RENEW_MS).unref(),
  ];
  return {
    limiter,
    slots,
    async close() {
      for (const timer of timers) clearInterval(timer);
      await Promise.all([limiter.flush(), slots.renew()]);
    },
  };
}
