import type { SlotPolicy } from "./policy.ts";

/** A lease of slots that nobody renews ends after this time: the slots of a gateway that was killed come back by themselves. */
export const SLOT_LIFE_MS = 15_000;
/** Clocks may be so far apart before a gateway's slots are given to others while it still uses them. */
export const SLOT_GRACE_MS = 2_000;

/** Who holds how many slots, and until when by the holder's own clock. */
export type SlotEntry = { readonly holder: string; readonly slots: number; readonly endsAtMs: number };

export type HoldRequest = {
  readonly policy: SlotPolicy;
  readonly holder: string;
  /** What runs, and what its process may let run while the call is on its way: written down even where the limit has no room for it, since it is the truth. */
  readonly atLeast: number;
  readonly want: number;
  readonly nowMs: number;
};

export type Holding = {
  readonly granted: number;
  readonly endsAtMs: number;
  /** Slots that nobody holds. */
  readonly free: number;
  /** Processes that hold some, this one included. */
  readonly holderCount: number;
};

export type Held = {
  readonly entries: readonly SlotEntry[];
  readonly holding: Holding /** Whether the item has to be written. */;
  readonly isNew: boolean;
};

/** What a holder gets of the slots that others leave, and the entries after that. Others' entries count for `SLOT_GRACE_MS` longer than they say. */
export function holdSlots(stored: readonly SlotEntry[], { policy, holder, atLeast, want, nowMs }: HoldRequest): Held {
  const entries = stored.map((entry) => believed(entry, nowMs));
  const others = aliveOf(entries, nowMs).filter((entry) => entry.holder !== holder);
  const left = Math.max(0, policy.quota - sumOf(others));
  const granted = Math.max(atLeast, Math.min(want, left));
  const known = entries.find((entry) => entry.holder === holder);
  const leftMs = (known?.endsAtMs ?? 0) - nowMs;
  const isSame = granted === 0 ? known === undefined : granted === known?.slots && leftMs > SLOT_LIFE_MS / 2 && leftMs <= SLOT_LIFE_MS;
  const isFresh = isSame && entries.every((entry, index) => entry === stored[index]);
  const endsAtMs = isFresh && known !== undefined ? known.endsAtMs : nowMs + SLOT_LIFE_MS;
  const holding = { granted, endsAtMs, free: Math.max(0, left - granted), holderCount: others.length + 1 };
  return { entries: granted === 0 ? others : [...others, { holder, slots: granted, endsAtMs }], holding, isNew: !isFresh };
}

export function freeSlots(policy: SlotPolicy, entries: readonly SlotEntry[], nowMs: number): number {
  return Math.max(0, policy.quota - sumOf(aliveOf(entries, nowMs)));
}

/** A clock that is off writes ends which others wait for in vain: no lease lives longer than from now on. To be written down, or it would never end. */
function believed(entry: SlotEntry, nowMs: number): SlotEntry {
  const latestMs = nowMs + SLOT_LIFE_MS + SLOT_GRACE_MS;
  return entry.endsAtMs > latestMs ? { ...entry, endsAtMs: latestMs } : entry;
}

function aliveOf(entries: readonly SlotEntry[], nowMs: number): SlotEntry[] {
  return entries.filter(({ endsAtMs }) => endsAtMs + SLOT_GRACE_MS > nowMs);
}

function sumOf(entries: readonly SlotEntry[]): number {
  return entries.reduce((sum, { slots }) => sum + slots, 0);
}
