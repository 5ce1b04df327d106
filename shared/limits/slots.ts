import { LRUCache } from "lru-cache";
import type { Clock } from "../base/clock.ts";
import type { Refused } from "./limiter.ts";
import type { SlotPolicy } from "./policy.ts";
import { type Holding, type HoldRequest, SLOT_LIFE_MS, type SlotView } from "./slot-entries.ts";

/** How often `renew` is to be called: a lease of slots lives three times as long. */
export const SLOT_RENEW_MS = 5_000;
const POLICIES_MAX = 50_000;
/** Store calls that one request waits for. */
const TURNS_MAX = 20;
/** A process that was told that all slots are taken asks again after this time at the earliest, and after twice this at the latest. */
const DENIED_MS = 50;
/** While no more than a quarter of a limit is held, what a request gives back waits so long for this process's next one. */
const LINGER_MS = 50;
/** Nobody waits by what was seen longer ago than this. */
const LINGER_SEEN_MS = 1_000;
const LINGER_SHARE = 4;
/** Free slots that a process keeps, of all and divided by all who hold some. It gives some back where it has twice as many, so a quarter of a limit at most lies idle. */
const IDLE_SHARE = 8;

/** The slots that a request holds until it gives them back. */
export type HeldSlots = { readonly isAdmitted: true; readonly claims: readonly Claim[] };

/** Holds policies to so many requests at the same time over any number of gateway processes. */
export type SlotLimiter = {
  /** Takes a slot of every policy, or of none. Answers at once where slots are at hand or known to be all taken. Fails with `unavailable` if the store cannot answer. */
  readonly take: (policies: readonly SlotPolicy[]) => HeldSlots | Refused | Promise<HeldSlots | Refused>;
  /** Gives slots back; the second time changes nothing. */
  readonly release: (held: HeldSlots) => void;
  /** How many are left, as this process knows it. */
  readonly remaining: (policy: SlotPolicy) => number;
  /** How many are left, as the store knows it. */
  readonly look: (policy: SlotPolicy) => Promise<number>;
  /** Renews what is in use and gives back what is not. To be called every `SLOT_RENEW_MS`, and before the process ends. */
  readonly renew: () => Promise<void>;
};

/** Where it is written who holds how many: one item per policy. */
export type SlotStore = {
  /** Replaces this process's entry. */
  readonly hold: (request: HoldRequest) => Promise<Holding>;
  /** Slots that nobody holds. */
  readonly free: (policy: SlotPolicy, nowMs: number) => Promise<number>;
};

export type SlotSettings = {
  readonly store: SlotStore;
  readonly clock: Clock;
  /** From 0 to 1: spreads those who wait for the same slots. */
  readonly random: () => number;
  /** Does something after a time, if the process still lives. */
  readonly later: (ms: number, work: () => void) => void;
};

/** What one process knows and holds of one policy. */
type Rack = {
  policy: SlotPolicy;
  inUse: number;
  granted: number;
  /** Until then `granted` may be used. */
  endsAtMs: number;
  /** Slots that nobody holds. */
  free: number;
  /** What the store last told. */
  view: SlotView | undefined;
  /** Whether this process's entry is what was told: not while a call is on its way, nor after one that was not answered. */
  isSure: boolean;
  /** The fewest slots that were idle since it was decided to wait for the next request; absent if nobody waits. */
  leastIdle: number | undefined;
  /** Requests that wait for a slot. */
  waiting: number;
  deniedUntilMs: number;
  /** Whether the store may have an entry of this process. */
  mayBeWritten: boolean;
  syncing: Promise<void> | undefined;
};
type Claim = { readonly rack: Rack; isHeld: boolean };
type Sync = (rack: Rack) => Promise<void>;
type Keeping = { readonly clock: Clock; readonly later: SlotSettings["later"]; readonly sync: Sync };

export function createSlotLimiter(settings: SlotSettings): SlotLimiter {
  const { clock, store } = settings;
  const keeping: Keeping = { ...settings, sync };
  // Bounded by size: `max` would allocate all places when the process starts.
  const racks = new LRUCache<string, Rack>({ maxSize: POLICIES_MAX, sizeCalculation: () => 1 });
  /** Those that the store knows of are renewed, and never forgotten. */
  const held = new Map<string, Rack>();

  function rackOf(policy: SlotPolicy): Rack {
    const rack = held.get(policy.itemKey) ?? racks.get(policy.itemKey) ?? newRack(policy);
    rack.policy = policy;
    racks.set(policy.itemKey, rack);
    return rack;
  }

  function sync(rack: Rack): Promise<void> {
    held.set(rack.policy.itemKey, rack);
    if (rack.syncing !== undefined) return rack.syncing;
    const syncing = syncNow(settings, rack).finally(() => {
      rack.syncing = undefined;
    });
    rack.syncing = syncing;
    // Requests that ended while the call was on its way have left slots that nobody uses.
    syncing.then(() => giveIdle(rack, keeping)).catch(() => {});
    return syncing;
  }

  return {
    take(policies) {
      const nowMs = clock.nowMs();
      const all = policies.map(rackOf);
      if (all.every((rack) => hasSlot(rack, nowMs))) return { isAdmitted: true, claims: all.map(claim) };
      return takeAsking(keeping, all);
    },
    release(slots) {
      for (const each of slots.claims) giveUp(each, keeping);
    },
    remaining: (policy) => remainingIn(rackOf(policy)),
    async look(policy) {
      const rack = rackOf(policy);
      rack.free = await store.free(policy, clock.nowMs());
      return remainingIn(rack);
    },
    async renew() {
      // What cannot be told to the store now is tried at the next renewal: a lease's life allows for two that fail.
      await Promise.all([...held.values()].map((rack) => renewOne(rack, sync).catch(() => {})));
      for (const [key, rack] of held) if (!rack.mayBeWritten && rack.inUse === 0) held.delete(key);
    },
  };
}

function newRack(policy: SlotPolicy): Rack {
  const known = { policy, granted: 0, endsAtMs: 0, free: policy.quota, view: undefined, isSure: false };
  return { ...known, inUse: 0, leastIdle: undefined, waiting: 0, deniedUntilMs: 0, mayBeWritten: false, syncing: undefined };
}

function hasSlot(rack: Rack, nowMs: number): boolean {
  return rack.inUse < Math.min(rack.granted, rack.policy.quota) && isAlive(rack, nowMs);
}

/** A lease that seems to live longer than leases do was taken before this clock was set back. */
function isAlive({ endsAtMs }: Rack, nowMs: number): boolean {
  return nowMs < endsAtMs && endsAtMs <= nowMs + SLOT_LIFE_MS;
}

function claim(rack: Rack): Claim {
  rack.inUse += 1;
  if (rack.leastIdle !== undefined) rack.leastIdle = Math.min(rack.leastIdle, rack.granted - rack.inUse);
  return { rack, isHeld: true };
}

async function takeAsking(keeping: Keeping, racks: readonly Rack[]): Promise<HeldSlots | Refused> {
  const claims: Claim[] = [];
  let isDone = false;
  try {
    for (const rack of racks) {
      const taken = await takeOf(keeping, rack);
      if ("policy" in taken) return taken;
      claims.push(taken);
    }
    isDone = true;
    return { isAdmitted: true, claims };
  } finally {
    // What one policy refuses costs nothing of the others.
    if (!isDone) for (const each of claims) giveUp(each, keeping);
  }
}

async function takeOf({ clock, sync }: Keeping, rack: Rack): Promise<Claim | Refused> {
  for (let turn = 0; !hasSlot(rack, clock.nowMs()); turn += 1) {
    const deniedMs = rack.deniedUntilMs - clock.nowMs();
    const isDenied = deniedMs > 0 && deniedMs <= 2 * DENIED_MS;
    if (isDenied || turn === TURNS_MAX) return { isAdmitted: false, policy: rack.policy, retryAfterMs: isDenied ? Math.ceil(deniedMs) : 1 };
    rack.waiting += 1;
    try {
      await sync(rack);
    } finally {
      rack.waiting -= 1;
    }
  }
  return claim(rack);
}

function giveUp(held: Claim, keeping: Keeping) {
  if (!held.isHeld) return;
  held.isHeld = false;
  held.rack.inUse -= 1;
  held.rack.deniedUntilMs = 0; // what is given back others may take, and this process's own requests, too
  giveIdle(held.rack, keeping);
}

function giveIdle(rack: Rack, keeping: Keeping) {
  if (!isIdle(rack) || rack.waiting > 0 || rack.leastIdle !== undefined) return;
  if (!mayLinger(rack, keeping.clock.nowMs())) {
    keeping.sync(rack).catch(() => {}); // the next renewal tells the store, or the end of the lease
    return;
  }
  rack.leastIdle = rack.granted - rack.inUse;
  keeping.later(LINGER_MS, () => {
    const hasRested = (rack.leastIdle ?? 0) > 2 * keptIdle(rack);
    rack.leastIdle = undefined;
    if (hasRested && isIdle(rack) && rack.waiting === 0)
      keeping.sync(rack).catch(() => {}); // as above
    else giveIdle(rack, keeping);
  });
}

/** Twice what may be kept has to be idle, so that a request that ends and one that begins do not write each time. */
function isIdle(rack: Rack): boolean {
  return rack.granted - rack.inUse > 2 * keptIdle(rack);
}

/** A request that ends is often followed by the next one. Where much is free that one need not ask the store; where little is, others may be waiting. */
function mayLinger({ policy, free, view }: Rack, nowMs: number): boolean {
  const isRecent = view !== undefined && nowMs >= view.atMs && nowMs - view.atMs <= LINGER_SEEN_MS;
  return policy.quota >= IDLE_SHARE && isRecent && policy.quota - free <= policy.quota / LINGER_SHARE;
}

/** Writes what is true when it begins; one call at a time for each policy, and whoever still misses something calls again. */
async function syncNow({ store, clock, random }: SlotSettings, rack: Rack) {
  const askedAtMs = clock.nowMs();
  const { policy, inUse, view, isSure } = rack;
  const need = inUse + rack.waiting;
  const want = need === 0 ? 0 : need + keptIdle(rack);
  // What is about to be given back is not used any more, whether the store has heard of it or not; nor is what a lease gave whose life is over.
  rack.granted = isAlive(rack, askedAtMs) ? Math.min(rack.granted, want) : inUse;
  const atLeast = Math.max(inUse, rack.granted);
  rack.mayBeWritten = true;
  rack.isSure = false;
  const holding = await store.hold({ policy, view: isSure ? view : undefined, atLeast, need, want, clock });
  rack.granted = holding.granted;
  rack.mayBeWritten = holding.granted > 0;
  rack.endsAtMs = holding.endsAtMs;
  rack.view = holding.view;
  rack.isSure = true;
  rack.free = Math.max(0, policy.quota - holding.view.others - holding.granted);
  if (holding.granted < need) rack.deniedUntilMs = askedAtMs + DENIED_MS * (1 + random());
}

async function renewOne(rack: Rack, sync: Sync) {
  await rack.syncing?.catch(() => {}); // what it wrote may not be true any more
  if (rack.mayBeWritten || rack.inUse > 0) await sync(rack);
}

/**
 * How many free slots a process keeps at hand, so that they need no write. Small limits leave nothing: there a slot counts, and every one is given back at once. Nor
 * does a process that has not heard yet how many others there are: a hundred that begin would take all.
 */
function keptIdle({ policy, view }: Rack): number {
  return view === undefined ? 0 : Math.floor(policy.quota / (IDLE_SHARE * (1 + view.otherCount)));
}

function remainingIn({ policy, granted, inUse, free }: Rack): number {
  return Math.max(0, Math.min(policy.quota, granted - inUse + free));
}
