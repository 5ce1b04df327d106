import { CLOCKS_APART_MS_MAX } from "../dynamo/sound-clock.ts";
import { costUs, roomAt, waitUs } from "./gcra.ts";
import type { CreditPolicy } from "./policy.ts";
import { convertedUs, type Terms, textOfRate } from "./terms.ts";

const DAY_US = 86_400_000_000;
/** Longer than a gateway goes by a key that it has read (30 s), and clocks may be apart. */
const TERMS_KEPT_MS = 120_000;

/** How far a policy is spent, as its item in the store says it. */
export type Level =
  | {
      readonly kind: "rate";
      readonly tatUs: number;
      /** All that corrections ever took off the TAT; see `corrected`. */
      readonly backUs: number;
      /** When it was last written, by the clock of whoever wrote it. */
      readonly writtenAtUs: number;
      /** What its TAT counts by; absent where that is not known, and then what whoever asks counts by. */
      readonly terms?: Terms;
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
 * more than is written, since a clock ahead only ever writes too much. And a level that counts by earlier terms is converted, or a tenant who has bought more would wait for as long
 * as with less. The same level where nothing is wrong.
 */
export function believed(policy: CreditPolicy, level: Level, nowUs: number): Level {
  const own = termsOf(policy);
  if (level.kind === "day" || own === undefined) return level;
  const { gcra } = level.terms ?? own;
  const isFromAhead = level.writtenAtUs > latestWriteUs(nowUs);
  const backlogUs = Math.max(costUs(gcra, gcra.burst), level.tatUs - level.writtenAtUs);
  const dated = isFromAhead ? { ...level, tatUs: Math.min(level.tatUs, nowUs + backlogUs), writtenAtUs: nowUs } : level;
  const isEarlier = level.terms !== undefined && level.terms.revision < own.revision && textOfRate(gcra) !== textOfRate(own.gcra);
  if (!isEarlier || dated.tatUs < nowUs) return dated;
  return { ...dated, tatUs: nowUs + convertedUs(dated.tatUs - nowUs, gcra, own.gcra), writtenAtUs: nowUs, terms: own };
}

function termsOf({ refill, revision }: CreditPolicy): Terms | undefined {
  return refill.kind === "rate" ? { gcra: refill.gcra, revision } : undefined;
}

/**
 * What a level counts by at a time; undefined for a day. Of one that is whole again the latest terms, or a gateway that has not heard of them would hand out
 * another burst by the earlier ones; of others its own terms, which are the latest once it is believed.
 */
export function termsAt(policy: CreditPolicy, level: Level, nowUs: number): Terms | undefined {
  const own = termsOf(policy);
  if (own === undefined || level.kind === "day" || level.terms === undefined || level.tatUs < forgottenUs(nowUs)) return own;
  return level.tatUs < nowUs && level.terms.revision <= own.revision ? own : level.terms;
}

/** What was whole before then tells nothing of later terms: by now every gateway has heard of them, and if it has not, they are no more, as after a restored backup. */
export function forgottenUs(nowUs: number): number {
  return nowUs - TERMS_KEPT_MS * 1_000;
}

/** What others have written by now, as far as clocks may be apart. */
export function latestWriteUs(nowUs: number): number {
  return nowUs + CLOCKS_APART_MS_MAX * 1_000;
}

/** Credits that can be taken now. */
export function roomIn(policy: CreditPolicy, level: Level, nowUs: number): number {
  const terms = termsAt(policy, level, nowUs);
  if (terms !== undefined) return roomAt(terms.gcra, tatOf(level), nowUs);
  return Math.max(0, policy.quota - usedOn(dayOf(nowUs), level));
}

/** Microseconds until that many credits can be taken, if nobody else takes any; infinite if they never can. */
export function waitFor(
  policy: CreditPolicy,
  { level, credits }: { readonly level: Level; readonly credits: number },
  nowUs: number,
): number {
  if (credits > policy.quota) return Number.POSITIVE_INFINITY;
  const terms = termsAt(policy, level, nowUs);
  if (terms !== undefined) return waitUs(terms.gcra, { tatUs: tatOf(level), credits }, nowUs);
  return roomIn(policy, level, nowUs) >= credits ? 0 : untilNextDayUs(nowUs);
}

/** Microseconds until the whole quota is there again. */
export function wholeInUs(policy: CreditPolicy, level: Level, nowUs: number): number {
  return policy.refill.kind === "rate" ? Math.max(0, tatOf(level) - nowUs) : untilNextDayUs(nowUs);
}

/** The level after credits were taken, or charged although there was no room for them. */
export function spent(policy: CreditPolicy, { level, credits }: { readonly level: Level; readonly credits: number }, nowUs: number): Level {
  const terms = termsAt(policy, level, nowUs);
  if (terms === undefined) {
    const day = dayOf(nowUs);
    return { kind: "day", day, used: usedOn(day, level) + credits };
  }
  const tatUs = Math.max(tatOf(level), nowUs) + costUs(terms.gcra, credits);
  return { kind: "rate", tatUs, backUs: backOf(level), writtenAtUs: nowUs, terms };
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
