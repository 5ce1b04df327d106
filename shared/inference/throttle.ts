import { LRUCache } from "lru-cache";
import type { Clock } from "../base/clock.ts";
import { Failure } from "../base/failure.ts";
import type { CallLimits, GenerationCall, InferenceClient, InferenceRequest } from "./contract.ts";

/** Calls that a pool is asked per call that it took of late: refusing costs a pool a tenth of an answer, and a pool of several, one of them full, is not given up for that one. */
const CALLS_PER_TAKEN = 1.35;
/** In which half of what was seen is forgotten. */
const HALF_LIFE_MS = 1_000;
/** Fewer calls say nothing. */
const CALLS_MIN = 20;
const KINDS_MAX = 1_000;
const RETRY_AFTER_MS = 1_000;

type Seen = {
  /** Calls of which it is known whether they were taken: those that are under way say nothing yet, or a pool that is slow would pass for a full one. */
  calls: number;
  taken: number;
  atMs: number;
  /** Parts of calls that should have been refused so far: at 1 the next one is. */
  due: number;
  retryAfterMs: number;
};

/**
 * Keeps from a pool that refuses as overloaded most of what it would refuse anyway, each kind of call by itself: a tenant's for a file, with about as much
 * time. Who is refused here hears what he would hear from the pool, sooner. It is the client-side throttling of Beyer et al., Site Reliability Engineering,
 * ch. 21, with refusals spread evenly instead of drawn.
 */
export function throttle<Client extends InferenceClient>(client: Client, clock: Clock): Client {
  const kinds = new LRUCache<string, Seen>({ max: KINDS_MAX });

  /** Fails with `overloaded`, or lets a call through; what it answers is told how the call ended. */
  function enter(kind: string): (failure?: unknown) => void {
    const seen = kinds.get(kind) ?? { calls: 0, taken: 0, atMs: clock.nowMs(), due: 0, retryAfterMs: RETRY_AFTER_MS };
    kinds.set(kind, seen);
    fade(seen, clock.nowMs());
    seen.due += Math.max(0, (seen.calls - CALLS_PER_TAKEN * seen.taken - CALLS_MIN) / Math.max(1, seen.calls));
    if (seen.due >= 1) {
      seen.due -= 1;
      seen.calls += 1;
      const message = "The models are too busy to answer this request in time. Try again later.";
      throw new Failure("overloaded", message, { retryAfterMs: seen.retryAfterMs });
    }
    return (failure) => {
      fade(seen, clock.nowMs());
      seen.calls += 1;
      if (failure instanceof Failure && failure.code === "overloaded") seen.retryAfterMs = failure.retryAfterMs ?? RETRY_AFTER_MS;
      else seen.taken += 1;
    };
  }

  return {
    ...client,
    async run(request: InferenceRequest, limits: CallLimits) {
      const ended = enter(kindOf(request, limits));
      try {
        const result = await client.run(request, limits);
        ended();
        return result;
      } catch (failure) {
        ended(failure);
        throw failure;
      }
    },
    async *generate(call: GenerationCall, limits: CallLimits) {
      const ended = enter(kindOf(call, limits));
      let isTaken = false;
      try {
        for await (const event of client.generate(call, limits)) {
          if (!isTaken) ended();
          isTaken = true;
          yield event;
        }
      } catch (failure) {
        if (!isTaken) ended(failure);
        throw failure;
      }
    },
  };
}

function kindOf({ tenant, manifestDigest, dtype }: InferenceRequest | GenerationCall, { timeoutMs }: CallLimits): string {
  return `${tenant} ${manifestDigest} ${dtype} ${Math.round(Math.log2(Math.max(1, timeoutMs)))}`;
}

/** A clock that was set back makes nothing older. */
function fade(seen: Seen, nowMs: number): void {
  const share = 0.5 ** (Math.max(0, nowMs - seen.atMs) / HALF_LIFE_MS);
  seen.atMs = nowMs;
  seen.calls *= share;
  seen.taken *= share;
}
