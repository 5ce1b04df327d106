import { LRUCache } from "lru-cache";
import type { Clock } from "../../shared/base/clock.ts";
import { Failure } from "../../shared/base/failure.ts";
import type { Log } from "../../shared/log/log.ts";
import { type Breaker, type BreakerLook, createBreaker } from "./breaker.ts";

/** A file of a version on a pool. */
export type PlaceName = { readonly pool: string; readonly model: string; readonly version: number; readonly dtype: string };

/** A call that may be made; whoever makes it says how it ended. */
export type Passage = {
  readonly succeeded: () => void;
  /** Whatever the call threw, and how long it was given. */
  readonly failed: (cause: unknown, timeoutMs: number) => void;
};

export type Breakers = {
  /** The right to make one call, or a look at what stands in its way. */
  readonly pass: (place: PlaceName) => Passage | { readonly blockedBy: BreakerLook };
  readonly isBlocked: (place: PlaceName) => boolean;
  readonly poolOf: (pool: string) => BreakerLook;
  /** Versions that fail on a pool that is well otherwise, such as `minilm@2 fp32`. */
  readonly failingOn: (pool: string) => (BreakerLook & { readonly version: string })[];
};

const POOLS_MAX = 100;
const PLACES_MAX = 1_000;
const REASON_CHARS_MAX = 300;
/** A call that was given less time than this says more about its caller's patience than about the pool. */
const TELLING_TIMEOUT_MS_MIN = 5_000;

/**
 * The breakers of this process. A pool that cannot be reached, or that lets time pass, is left alone for all versions; one that answers with
 * `engine_failed` only for the file that failed, since one bad model must not take the others' pool away. Only a failure makes a breaker for a file.
 */
export function createBreakers({ clock, log }: { readonly clock: Clock; readonly log: Log }): Breakers {
  const pools = new LRUCache<string, Breaker>({ max: POOLS_MAX });
  const places = new LRUCache<string, Breaker>({ max: PLACES_MAX });
  const made = (breakers: LRUCache<string, Breaker>, name: string) => {
    const known = breakers.get(name);
    if (known !== undefined) return known;
    const breaker = createBreaker(clock, (reason) => log("warn", "a circuit breaker opens", { of: name, reason }));
    breakers.set(name, breaker);
    return breaker;
  };
  return {
    pass(place) {
      const pool = made(pools, place.pool);
      const name = nameOf(place);
      const ofPool = pool.admit();
      if (ofPool === undefined) return { blockedBy: pool.look() };
      const known = places.get(name);
      const ofPlace = known?.admit();
      if (known !== undefined && ofPlace === undefined) {
        ofPool.withdrawn();
        return { blockedBy: known.look() };
      }
      return {
        succeeded() {
          ofPool.succeeded();
          ofPlace?.succeeded();
        },
        failed(cause, timeoutMs) {
          const blamed = blame(cause, timeoutMs);
          const words = cause instanceof Failure ? ([cause.message.slice(0, REASON_CHARS_MAX), cause.retryAfterMs] as const) : undefined;
          if (blamed === "pool" && words) ofPool.failed(...words);
          else ofPool.withdrawn();
          if (blamed === "place" && words) (ofPlace ?? made(places, name).admit())?.failed(...words);
          else ofPlace?.withdrawn();
        },
      };
    },
    isBlocked: (place) => [pools.peek(place.pool), places.peek(nameOf(place))].some((each) => (each?.look().retryInMs ?? 0) > 0),
    poolOf: (pool) => pools.peek(pool)?.look() ?? { state: "closed", retryInMs: 0 },
    failingOn: (pool) =>
      [...places.entries()]
        .filter(([name]) => name.startsWith(`${pool} `))
        .map(([name, breaker]) => ({ version: name.slice(pool.length + 1), ...breaker.look() }))
        .filter(({ state }) => state !== "closed"),
  };
}

function nameOf({ pool, model, version, dtype }: PlaceName): string {
  return `${pool} ${model}@${version} ${dtype}`;
}

/** A full queue is no fault, and a mistake of the caller's or of our own says nothing about a pool. */
function blame(cause: unknown, timeoutMs: number): "pool" | "place" | undefined {
  if (!(cause instanceof Failure)) return undefined;
  switch (cause.code) {
    case "unavailable":
      return "pool";
    case "timeout":
      return timeoutMs >= TELLING_TIMEOUT_MS_MIN ? "pool" : undefined;
    case "engine_failed":
      return "place";
    default:
      return undefined;
  }
}
