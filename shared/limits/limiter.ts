import { LRUCache } from "lru-cache";
import type { Clock } from "../base/clock.ts";
import { type Bucket, charge, countOf, giveBack, newBucket, type Part, receive, refund, spend, wantOf } from "./bucket.ts";
import { type Correction, isAlive } from "./correction.ts";
import { dayEndMs, type Level, roomIn, wholeInUs } from "./level.ts";
import type { CreditPolicy } from "./policy.ts";
import { emptyQuietMs, isCrowded, lostQuietMs, quietFor } from "./quiet.ts";

const POLICIES_MAX = 50_000;
/** While this share of a lease is left, the next one is fetched in the background. */
const REFILL_AT = 0.25;
/** Store calls that one request waits for; others who wait for the same leases may use them up first. */
const TURNS_MAX = 20;
/** Credits that a request has taken, of every policy that it is held to. */
export type Taken = { readonly isAdmitted: true; readonly parts: readonly Part[] };
export type Refused = {
  readonly isAdmitted: false;
  readonly policy: Pick<CreditPolicy, "name" | "says">;
  /** Before that it is refused again; infinite where it asks for more than may ever come at once. */
  readonly retryAfterMs: number;
};

export type Standing = {
  readonly remaining: number;
  /** Until the whole quota is there again. */
  readonly wholeInMs: number;
};

/** Holds policies to their rates over any number of gateway processes. */
export type CreditLimiter = {
  /**
   * Takes credits of every policy, or of none. Answers at once where the credits are at hand or known to be nowhere, and with a promise only where the store
   * is asked; that fails with `unavailable` if the store cannot answer.
   */
  readonly take: (policies: readonly CreditPolicy[], credits: number) => Taken | Refused | Promise<Taken | Refused>;
  /** Says what a request has really used: the difference is given back or charged. */
  readonly correct: (taken: Taken, credits: number) => void;
  /** As this process knows it, without asking. */
  readonly standing: (policy: CreditPolicy) => Standing;
  /** As the store knows it, with what this process holds. */
  readonly look: (policy: CreditPolicy) => Promise<Standing>;
  /** Writes the corrections that wait; to be called now and then, and before the process ends. */
  readonly flush: () => Promise<void>;
};

export type LeaseRequest = {
  readonly policy: CreditPolicy;
  /** Fewer are of no use. */
  readonly need: number;
  readonly want: number;
  readonly nowUs: number;
  /** The item as this process last saw it: a guess that saves a read. Undefined where so many take from it that the guess is wrong as a rule. */
  readonly level: Level | undefined;
};

export type LeaseAnswer = {
  /** Credits handed over: `need` to `want` of them, or none. */
  readonly granted: number;
  readonly level: Level;
  readonly lesseeCount: number;
};

/** Where the levels live: one item per policy, moved by conditional writes. */
export type LeaseStore = {
  readonly lease: (request: LeaseRequest) => Promise<LeaseAnswer>;
  /** False if it lost against others too often; then nothing was changed. Where it throws, nobody knows. */
  readonly correct: (correction: Correction) => Promise<boolean>;
  readonly look: (policy: CreditPolicy, nowUs: number) => Promise<Level>;
};

export type LimiterSettings = {
  readonly store: LeaseStore;
  readonly clock: Clock;
  /** From 0 to 1: spreads those who wait for the same credits. */
  readonly random: () => number;
};

export function createCreditLimiter(settings: LimiterSettings): CreditLimiter {
  const { store, clock } = settings;
  // Bounded by size: `max` would allocate all places when the process starts.
  const buckets = new LRUCache<string, Bucket>({ maxSize: POLICIES_MAX, sizeCalculation: () => 1 });
  const owing = new Set<Bucket>();
  /** Those whose leases have to be given back when their life is over, whether somebody asks for them or not. */
  const perDay = new Set<Bucket>();

  function bucketOf(policy: CreditPolicy): Bucket {
    const known = buckets.get(policy.itemKey);
    if (known !== undefined) return renewed(known, policy);
    const bucket = newBucket(policy);
    buckets.set(policy.itemKey, bucket);
    if (policy.refill.kind === "day") perDay.add(bucket);
    return bucket;
  }

  return {
    take(policies, credits) {
      const nowMs = clock.nowMs();
      const all = policies.map(bucketOf);
      if (!all.every((bucket) => countOf(bucket, nowMs) >= credits)) return takeAsking(settings, all, credits);
      for (const bucket of all) refillEarly(settings, bucket, nowMs);
      return { isAdmitted: true, parts: all.flatMap((bucket) => spend(bucket, credits)) };
    },
    correct(taken, credits) {
      for (const [bucket, parts] of Map.groupBy(taken.parts, (part) => part.bucket)) {
        correctOne(bucket, { parts, credits }, clock.nowMs());
        if (bucket.debt > 0 || bucket.refunds.length > 0) owing.add(bucket);
      }
    },
    standing: (policy) => standingOf(bucketOf(policy), clock.nowMs()),
    async look(policy) {
      const bucket = bucketOf(policy);
      const nowMs = clock.nowMs();
      see(bucket, await store.look(policy, nowMs * 1_000), nowMs);
      return standingOf(bucket, clock.nowMs());
    },
    async flush() {
      const nowMs = clock.nowMs();
      for (const bucket of perDay) {
        countOf(bucket, nowMs);
        if (bucket.refunds.length > 0) owing.add(bucket);
        if (buckets.peek(bucket.policy.itemKey) !== bucket && bucket.held.length === 0) perDay.delete(bucket);
      }
      const all = [...owing];
      owing.clear();
      const owed = await Promise.all(all.map(async (bucket) => ((await flushOne(settings, bucket)) ? [] : [bucket])));
      for (const bucket of owed.flat()) owing.add(bucket);
    },
  };
}

/** A policy that was changed is another object: what was seen under the old one says nothing of it, so the store is asked, which converts the item. */
function renewed(bucket: Bucket, policy: CreditPolicy): Bucket {
  if (bucket.policy === policy) return bucket;
  if (bucket.policy.says !== policy.says) {
    bucket.quietUntilMs = 0;
    bucket.seenAtMs = Number.NEGATIVE_INFINITY;
  }
  bucket.policy = policy;
  return bucket;
}

async function takeAsking(settings: LimiterSettings, buckets: readonly Bucket[], credits: number): Promise<Taken | Refused> {
  const parts: Part[] = [];
  try {
    for (const bucket of buckets) {
      const taken = await takeOf(settings, bucket, credits);
      if ("policy" in taken) {
        undo(parts, settings.clock.nowMs());
        return taken;
      }
      parts.push(...taken);
    }
    return { isAdmitted: true, parts };
  } catch (cause) {
    undo(parts, settings.clock.nowMs());
    throw cause;
  }
}

/** What one policy refuses costs nothing of the others. */
function undo(parts: readonly Part[], nowMs: number) {
  for (const part of parts) giveBack(part, nowMs);
}

async function takeOf(settings: LimiterSettings, bucket: Bucket, credits: number): Promise<Part[] | Refused> {
  const { clock } = settings;
  for (let turn = 0; ; turn += 1) {
    const nowMs = clock.nowMs();
    const shortage = credits - countOf(bucket, nowMs);
    if (shortage <= 0) return spend(bucket, credits);
    const waitMs = quietFor(bucket, { credits, shortage }, nowMs);
    if (waitMs > 0 || turn === TURNS_MAX) return refused(bucket, Math.max(1, waitMs));
    bucket.waiting += shortage;
    try {
      await ask(settings, bucket, shortage);
    } finally {
      bucket.waiting -= shortage;
    }
  }
}

function refused({ policy }: Bucket, waitMs: number): Refused {
  return { isAdmitted: false, policy, retryAfterMs: Math.ceil(waitMs) };
}

/** One call at a time for each policy; all who come meanwhile wait for it. */
function ask(settings: LimiterSettings, bucket: Bucket, need: number): Promise<void> {
  bucket.asking ??= fetchLease(settings, bucket, need).finally(() => {
    bucket.asking = undefined;
  });
  return bucket.asking;
}

async function fetchLease(settings: LimiterSettings, bucket: Bucket, need: number) {
  const { store, clock } = settings;
  const { policy } = bucket;
  const askedAtMs = clock.nowMs();
  const nowUs = askedAtMs * 1_000;
  const level = isCrowded(bucket) ? undefined : bucket.level;
  const answer = await store.lease({ policy, need, want: wantOf(bucket, need, nowUs), nowUs, level });
  see(bucket, answer.level, askedAtMs);
  bucket.lesseeCount = answer.lesseeCount;
  const room = roomIn(policy, answer.level, nowUs);
  if (room === 0) bucket.quietUntilMs = askedAtMs + emptyQuietMs(bucket, settings.random, askedAtMs);
  else if (answer.granted === 0 && room >= need) bucket.quietUntilMs = askedAtMs + lostQuietMs(bucket, settings.random, askedAtMs);
  // Credits live from the moment they were asked for: a slow store must not lengthen their life.
  if (answer.granted > 0)
    receive(bucket, { count: answer.granted, granted: answer.granted, diesAtMs: diesAtMs(policy, askedAtMs), level: answer.level });
}

function diesAtMs({ refill, leaseLifeMs }: CreditPolicy, askedAtMs: number): number {
  const diesAt = askedAtMs + leaseLifeMs;
  return refill.kind === "day" ? Math.min(diesAt, dayEndMs(askedAtMs)) : diesAt;
}

function see(bucket: Bucket, level: Level, nowMs: number) {
  bucket.level = level;
  bucket.seenAtMs = nowMs;
}

/** Before the last credits of the last lease are gone the next one is fetched, so that nobody waits for it. */
function refillEarly(settings: LimiterSettings, bucket: Bucket, nowMs: number) {
  const [held] = bucket.held;
  if (bucket.held.length !== 1 || held === undefined || held.granted === 1 || held.count > held.granted * REFILL_AT) return;
  if (bucket.asking !== undefined || bucket.quietUntilMs > nowMs || roomIn(bucket.policy, bucket.level, nowMs * 1_000) === 0) return;
  ask(settings, bucket, 1).catch(() => {}); // whoever needs credits will see the store's failure
}

/** Parts are used in the order in which they were taken; the last ones are given back. */
function correctOne(bucket: Bucket, { parts, credits }: { parts: readonly Part[]; credits: number }, nowMs: number) {
  let left = credits;
  for (const part of parts) {
    const unused = { ...part, credits: Math.max(0, part.credits - left) };
    left -= part.credits - unused.credits;
    if (unused.credits > 0 && !giveBack(unused, nowMs)) refund(unused);
  }
  if (left > 0) charge(bucket, left, nowMs);
}

/** False if something is still owed. A refund is tried once: one that may have been applied must not be applied again. */
async function flushOne({ store, clock }: LimiterSettings, bucket: Bucket): Promise<boolean> {
  const nowUs = clock.nowMs() * 1_000;
  const { policy, debt } = bucket;
  const refunds = bucket.refunds.filter((refund) => isAlive(refund, nowUs));
  bucket.debt = 0;
  bucket.refunds = [];
  if (debt === 0 && refunds.length === 0) return true;
  const isDone = await store.correct({ policy, debt, refunds, nowUs }).catch(() => false);
  if (!isDone) bucket.debt += debt;
  return bucket.debt === 0 && bucket.refunds.length === 0;
}

function standingOf(bucket: Bucket, nowMs: number): Standing {
  const { policy, level } = bucket;
  const nowUs = nowMs * 1_000;
  const remaining = Math.min(policy.quota, countOf(bucket, nowMs) + roomIn(policy, level, nowUs));
  return { remaining, wholeInMs: wholeInUs(policy, level, nowUs) / 1_000 };
}
