import { costUs, roomAt, waitUs } from "./gcra.ts";
import type { CreditPolicy } from "./policy.ts";

const DAY_US = 86_400_000_000;

/** How far a policy is spent, as its item in the store says it. */
export type Level =
  | {
      readonly kind: "rate";
      readonly tatUs: number;
      /** All that corrections ever took off the TAT; see `refundUs`. */
      readonly backUs: number;
    }
  | { readonly kind: "day"; readonly day: number; readonly used: number };

/** Of a policy that nobody has spent yet. */
export function wholeLevel({ refill }: CreditPolicy): Level {
  return refill.kind === "rate" ? { kind: "rate", tatUs: 0, backUs: 0 } : { kind: "day", day: 0, used: 0 };
}

/** Credits that can be taken now. */
export function roomIn(policy: CreditPolicy, level: Level, nowUs: number): number {
  if (policy.refill.kind === "rate") return roomAt(policy.refill.gcra, tatOf(level), nowUs);
  return Math.max(0, policy.quota - usedOn(dayOf(nowUs), level));
}

/** Microseconds until that many credits can be taken, if nobody else takes any; infinite if they never can. */
export function waitFor(
  policy: CreditPolicy,
  { level, credits }: { readonly level: Level; readonly credits: number },
  nowUs: number,
): number {
  if (credits > policy.quota) return Number.POSITIVE_INFINITY;
  if (policy.refill.kind === "rate") return waitUs(policy.refill.gcra, { tatUs: tatOf(level), credits }, nowUs);
  return roomIn(policy, level, nowUs) >= credits ? 0 : untilNextDayUs(nowUs);
}

/** Microseconds until the whole quota is there again. */
export function wholeInUs(policy: CreditPolicy, level: Level, nowUs: number): number {
  return policy.refill.kind === "rate" ? Math.max(0, tatOf(level) - nowUs) : untilNextDayUs(nowUs);
}

/** The level after credits were taken, or charged although there was no room for them. */
export function spent(policy: CreditPolicy, { level, credits }: { readonly level: Level; readonly credits: number }, nowUs: number): Level {
  if (policy.refill.kind === "day") {
    const day = Math.max(dayOf(nowUs), level.kind === "day" ? level.day : 0);
    return { kind: "day", day, used: usedOn(day, level) + credits };
  }
  const tatUs = Math.max(tatOf(level), nowUs) + costUs(policy.refill.gcra, credits);
  return { kind: "rate", tatUs, backUs: backOf(level) };
}

/** The number of a day of UTC, as the store keeps it. */
export function dayOf(nowUs: number): number {
  return Math.floor(nowUs / DAY_US);
}

export function dayEndMs(nowMs: number): number {
  return ((dayOf(nowMs * 1_000) + 1) * DAY_US) / 1_000;
}

/** A clock that is a little behind finds the next day begun: what it takes counts there. */
function usedOn(day: number, level: Level): number {
  return level.kind === "day" && level.day >= day ? level.used : 0;
}

export function tatOf(level: Level): number {
  return level.kind === "rate" ? level.tatUs : 0;
}

export function backOf(level: Level): number {
  return level.kind === "rate" ? level.backUs : 0;
}

function untilNextDayUs(nowUs: number): number {
  return (dayOf(nowUs) + 1) * DAY_US - nowUs;
}
