import { CLOCKS_APART_MS_MAX } from "../dynamo/sound-clock.ts";
import { costUs, roomAt, waitUs } from "./gcra.ts";
import type { CreditPolicy } from "./policy.ts";

const DAY_US = 86_400_000_000;

/** How far a policy is spent, as its item in the store says it. */
export type Level =
  | {
      readonly kind: "rate";
      readonly tatUs: number;
      /** All that corrections ever took off the TAT; see `corrected`. */
      readonly backUs: number;
      /** When it was last written, by the clock of whoever wrote it. */
      readonly writtenAtUs: number;
    }
  | { readonly kind: "day"; readonly day: number; readonly used: number };

/** Of a policy that nobody has spent yet. */
export function wholeLevel({ refill }: CreditPolicy): Level {
  return refill.kind === "rate" ? { kind: "rate", tatUs: 0, backUs: 0, writtenAtUs: 0 } : { kind: "day", day: 0, used: 0 };
}

/** Where a policy's level lies at a time: each day has an item of its own, so that a clock which is off spends another day's quota and not this one's. */
export function itemKeyAt({ itemKey, refill }: CreditPolicy, nowUs: number): string {
  return refill.kind === "day" ? `${itemKey}#${dayOf(nowUs)}` : itemKey;
}

/**
 * What may be believed of a level. One that was written later than clocks can be apart was written by a clock that is off, or was: its TAT would lock everybody
 * out until then. What had been spent before is lost with it, so the burst is taken to be spent now, and a debt stays as large as its writer saw it; but never
 * more than is written, since a clock ahead only ever writes too much. The same level where nothing is wrong.
 */
export function believed(policy: CreditPolicy, level: Level, nowUs: number): Level {
  if (level.kind === "day" || policy.refill.kind === "day" || level.writtenAtUs <= latestWriteUs(nowUs)) return level;
  const { gcra } = policy.refill;
  const backlogUs = Math.max(costUs(gcra, gcra.burst), level.tatUs - level.writtenAtUs);
  return { ...level, tatUs: Math.min(level.tatUs, nowUs + backlogUs), writtenAtUs: nowUs };
}

/** What others have written by now, as far as clocks may be apart. */
export function latestWriteUs(nowUs: number): number {
  return nowUs + CLOCKS_APART_MS_MAX * 1_000;
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
    const day = dayOf(nowUs);
    return { kind: "day", day, used: usedOn(day, level) + credits };
  }
  const tatUs = Math.max(tatOf(level), nowUs) + costUs(policy.refill.gcra, credits);
  return { kind: "rate", tatUs, backUs: backOf(level), writtenAtUs: nowUs };
}

/** The number of a day of UTC, as the store keeps it. */
export function dayOf(nowUs: number): number {
  return Math.floor(nowUs / DAY_US);
}

export function dayEndMs(nowMs: number): number {
  return ((dayOf(nowMs * 1_000) + 1) * DAY_US) / 1_000;
}

function usedOn(day: number, level: Level): number {
  return level.kind === "day" && level.day === day ? level.used : 0;
}

export function tatOf(level: Level): number {
  return level.kind === "rate" ? level.tatUs : 0;
}

export function backOf(level: Level): number {
  return level.kind === "rate" ? level.backUs : 0;
}

export function writtenAtOf(level: Level): number {
  return level.kind === "rate" ? level.writtenAtUs : 0;
}

function untilNextDayUs(nowUs: number): number {
  return (dayOf(nowUs) + 1) * DAY_US - nowUs;
}
