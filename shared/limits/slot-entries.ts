import type { Clock } from "../base/clock.ts";
import type { SlotPolicy } from "./policy.ts";

/** A lease of slots that nobody renews ends after this time: the slots of a gateway that was killed come back by themselves. */
export const SLOT_LIFE_MS = 15_000;
/** Clocks may be so far apart before a gateway's slots are given to others while it still uses them. */
export const SLOT_GRACE_MS = 2_000;

/** Who holds how many slots, and until when by the holder's own clock. A holder never writes the same entry twice: whoever finds it knows which write made it. */
export type SlotEntry = { readonly holder: string; readonly slots: number; readonly endsAtMs: number; readonly turn: number };

/** What one process knows of a policy's item. */
export type SlotView = {
  /** When it was asked for, by this process's clock. */
  readonly atMs: number;
  readonly mine: SlotEntry | undefined;
  /** Slots that others hold, and how many they are. */
  readonly others: number;
  readonly otherCount: number;
};

/** Others' entries that no longer count, or that are not believed as they stand. */
export type Untidy = { readonly lapsed: readonly SlotEntry[]; readonly beyond: readonly SlotEntry[] };

export type Holding = {
  readonly granted: number;
  readonly endsAtMs: number;
  readonly view: SlotView;
};

export type HoldRequest = {
  readonly policy: SlotPolicy;
  /** What the store last told; absent if it has not answered, or never was asked. */
  readonly view?: SlotView | undefined;
  /** What runs, and what its process may let run while the call is on its way: written down even where the limit has no room for it, since it is the truth. */
  readonly atLeast: number;
  /** With less somebody is refused. */
  readonly need: number;
  readonly want: number;
  /** Read for each call anew: a process may have been stopped in between. */
  readonly clock: Clock;
};

/** Who looks, since when and when by its clock. */
type Looking = { readonly holder: string; readonly atMs: number; readonly nowMs: number };

/** Others' entries count for `SLOT_GRACE_MS` longer than they say. */
export function viewOf(entries: readonly SlotEntry[], { holder, atMs, nowMs }: Looking): SlotView {
  const others = entries.filter((entry) => entry.holder !== holder && !hasLapsed(entry, nowMs));
  const mine = entries.find((entry) => entry.holder === holder);
  return { atMs, mine, others: sumOf(others), otherCount: others.length };
}

/** What a holder gets of the slots that others leave. */
export function grantOf({ policy, atLeast, want }: HoldRequest, { others }: SlotView): number {
  return Math.max(atLeast, Math.min(want, policy.quota - others));
}

/** Whether the entry may stay as it is for now. */
export function isFresh({ endsAtMs }: SlotEntry, nowMs: number): boolean {
  const leftMs = endsAtMs - nowMs;
  return leftMs > SLOT_LIFE_MS / 2 && leftMs <= SLOT_LIFE_MS;
}

export function freeSlots({ quota }: SlotPolicy, entries: readonly SlotEntry[], nowMs: number): number {
  return Math.max(0, quota - sumOf(entries.filter((entry) => !hasLapsed(entry, nowMs))));
}

/** A clock that is off writes ends which others wait for in vain: no lease lives longer than from now on, which is to be written down, or it would never end. */
export function untidyOf(entries: readonly SlotEntry[], { holder, nowMs }: Pick<Looking, "holder" | "nowMs">): Untidy {
  const others = entries.filter((entry) => entry.holder !== holder); // one's own is replaced by what is true
  return {
    lapsed: others.filter((entry) => hasLapsed(entry, nowMs)),
    beyond: others.filter(({ endsAtMs }) => endsAtMs > latestEndMs(nowMs)),
  };
}

export function latestEndMs(nowMs: number): number {
  return nowMs + SLOT_LIFE_MS + SLOT_GRACE_MS;
}

function hasLapsed({ endsAtMs }: SlotEntry, nowMs: number): boolean {
  return endsAtMs + SLOT_GRACE_MS <= nowMs;
}

function sumOf(entries: readonly SlotEntry[]): number {
  return entries.reduce((sum, { slots }) => sum + slots, 0);
}
