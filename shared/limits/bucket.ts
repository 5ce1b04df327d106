import type { Refund } from "./correction.ts";
import { leaseSize } from "./gcra.ts";
import { type Level, roomIn, wholeLevel } from "./level.ts";
import type { CreditPolicy } from "./policy.ts";

/** Credits of one lease that this process still holds. */
export type Held = { count: number; readonly granted: number; readonly diesAtMs: number; readonly level: Level };

/** What one process knows and holds of one policy. */
export type Bucket = {
  policy: CreditPolicy;
  held: Held[];
  /** The item as last seen, and when. */
  level: Level;
  seenAtMs: number;
  /** Processes that took leases of this policy of late, this one included. */
  lesseeCount: number;
  /** What the next lease may take: it shrinks when credits die and grows while leases are used up, so that few die. */
  size: number;
  /** Credits that requests wait for. */
  waiting: number;
  /** Until then nothing is asked of the store. */
  quietUntilMs: number;
  asking: Promise<void> | undefined;
  debt: number;
  refunds: Refund[];
};

/** What a request took, and from which lease. */
export type Part = { readonly bucket: Bucket; readonly held: Held; readonly credits: number };

/** One lease of a day takes at most this much, and a share of what is left. */
const DAY_LEASE_MAX = 10_000;
const DAY_LEASE_SHARE = 4;
/** What a process that knows nothing yet takes of a rate, if no more is waited for; each lease that is used up may be followed by one of twice its size. */
const FIRST_LEASE = 16;
/** Refunds beyond this are forgotten, which only admits less. */
const REFUNDS_MAX = 1_000;

export function newBucket(policy: CreditPolicy): Bucket {
  const known = { policy, level: wholeLevel(policy), seenAtMs: Number.NEGATIVE_INFINITY, lesseeCount: 1 };
  // Whoever does not know how many others there are, and how much is needed, strands little to learn it; of a day, which does not come back soon, nothing.
  const size = policy.refill.kind === "day" ? 1 : FIRST_LEASE;
  return { ...known, held: [], size, waiting: 0, quietUntilMs: 0, asking: undefined, debt: 0, refunds: [] };
}

/** Credits at hand; those whose life is over are forgotten first. */
export function countOf(bucket: Bucket, nowMs: number): number {
  let count = 0;
  let isStale = false;
  for (const held of bucket.held) {
    if (isOver(bucket, held, nowMs)) isStale = true;
    else count += held.count;
  }
  if (isStale) forgetOver(bucket, nowMs);
  return count;
}

/** Takes credits that `countOf` has counted, the oldest first. */
export function spend(bucket: Bucket, credits: number): Part[] {
  const parts: Part[] = [];
  let left = credits;
  for (const held of bucket.held) {
    const taken = Math.min(left, held.count);
    held.count -= taken;
    left -= taken;
    parts.push({ bucket, held, credits: taken });
    if (left === 0) return parts;
  }
  throw new Error(`${left} credits of ${bucket.policy.itemKey} were counted and are not there`);
}

/** Gives credits back to their lease; false if its life is over. */
export function giveBack({ bucket, held, credits }: Part, nowMs: number): boolean {
  if (isDead(bucket, held, nowMs)) return false;
  held.count += credits;
  if (!bucket.held.includes(held)) bucket.held.unshift(held);
  return true;
}

/** Notes for the store what was not used of a lease that is over. */
export function refund({ bucket, held, credits }: Part) {
  if (bucket.refunds.length < REFUNDS_MAX) bucket.refunds.push({ credits, level: held.level });
}

/** Charges what was used beyond what was taken: to credits at hand first, the rest to the store. */
export function charge(bucket: Bucket, credits: number, nowMs: number) {
  const atHand = Math.min(credits, countOf(bucket, nowMs));
  if (atHand > 0) spend(bucket, atHand);
  bucket.debt += credits - atHand;
}

export function receive(bucket: Bucket, held: Held) {
  bucket.held.push(held);
  bucket.size = Math.max(bucket.size, 2 * held.granted);
}

/** How many credits the next lease should take. */
export function wantOf(bucket: Bucket, need: number, nowUs: number): number {
  const room = roomIn(bucket.policy, bucket.level, nowUs);
  const useful = Math.max(need, bucket.waiting, Math.min(bucket.size, leaseMax(bucket, room)));
  return Math.max(need, Math.min(useful, room));
}

/** How many credits have to be there before an item that had none is asked again: else every request takes the one that has just come. */
export function worthwhile(bucket: Bucket): number {
  const { refill, quota } = bucket.policy;
  if (refill.kind === "day") return 1;
  return Math.max(1, Math.floor(Math.min(leaseMax(bucket, 0), quota) / 2));
}

function leaseMax({ policy, lesseeCount }: Bucket, room: number): number {
  if (policy.refill.kind === "rate") return leaseSize(policy.refill.gcra, { lifeMs: policy.leaseLifeMs, lesseeCount });
  return Math.max(1, Math.min(DAY_LEASE_MAX, Math.floor(room / (DAY_LEASE_SHARE * lesseeCount))));
}

/** A lease that seems to live longer than leases do was taken before this clock was set back. */
function isDead({ policy }: Bucket, { diesAtMs }: Held, nowMs: number): boolean {
  return diesAtMs <= nowMs || diesAtMs > nowMs + policy.leaseLifeMs;
}

function isOver(bucket: Bucket, held: Held, nowMs: number): boolean {
  return held.count === 0 || isDead(bucket, held, nowMs);
}

function forgetOver(bucket: Bucket, nowMs: number) {
  for (const held of bucket.held) {
    if (held.count === 0 || !isDead(bucket, held, nowMs)) continue;
    bucket.size = Math.max(1, Math.min(bucket.size, held.granted - held.count));
    // Credits of a rate come again with time. A day's do not, so they are given back.
    if (held.level.kind === "day") refund({ bucket, held, credits: held.count });
  }
  bucket.held = bucket.held.filter((held) => !isOver(bucket, held, nowMs));
}
