import { LRUCache } from "lru-cache";
import type { Clock } from "../shared/base/clock.ts";

export type CacheSettings<T> = {
  readonly load: (key: string) => Promise<T>;
  readonly clock: Clock;
  /** Younger values are answered as they are. */
  readonly freshMs: number;
  /** Values between `freshMs` and this are answered while they are read again; older ones are waited for. Nothing older is ever answered. */
  readonly hardMs: number;
  readonly itemsMax: number;
  /** Of keys that there is nothing at: kept apart, so that however many are asked for, they push out nothing that is there. Absent, they are values like any other. */
  readonly missesMax?: number;
};

type Entry<T> = { readonly value: T; readonly readAtMs: number };

/** A read-through cache with a stated staleness: one load at a time per key, and "there is none" is a value like any other. */
export type Cache<T> = {
  /** The value itself if it is at hand, so that the hot path does not wait for a promise. */
  readonly get: (key: string) => T | Promise<T>;
  /** Reads a value again, joining a read that runs; what is cached stays until the new one is there. */
  readonly reload: (key: string) => Promise<T>;
  readonly forget: (key: string) => void;
  /** Whether asking for it now starts no read for a key that nothing is known to be at: it is there, or is being read, or was missed just now. */
  readonly knows: (key: string) => boolean;
};

export function createCache<T>(settings: CacheSettings<T>): Cache<T> {
  const entries = createEntries<T>(settings.itemsMax);
  const misses = settings.missesMax === undefined ? entries : createEntries<T>(settings.missesMax);
  const loads = new Map<string, Promise<T>>();

  function load(key: string): Promise<T> {
    const running = loads.get(key);
    if (running !== undefined) return running;
    const readAtMs = settings.clock.nowMs(); // a value is as old as the question, not as its answer
    const loading = settings
      .load(key)
      .then((value) => {
        // A load that `forget` has overtaken may have read what was before.
        if (loads.get(key) === loading) keep(key, { value, readAtMs });
        return value;
      })
      .finally(() => {
        if (loads.get(key) === loading) loads.delete(key);
      });
    loads.set(key, loading);
    return loading;
  }

  function keep(key: string, entry: Entry<T>) {
    const isMiss = entry.value === undefined;
    if (misses !== entries) (isMiss ? entries : misses).delete(key);
    (isMiss ? misses : entries).set(key, entry);
  }

  return {
    get(key) {
      const entry = entries.get(key) ?? misses.get(key);
      const ageMs = entry === undefined ? Number.POSITIVE_INFINITY : ageOf(entry, settings.clock.nowMs());
      if (entry !== undefined && ageMs < settings.freshMs) return entry.value;
      const loading = load(key);
      if (entry === undefined || ageMs >= settings.hardMs) return loading;
      loading.catch(() => {}); // the stale value still serves; the next caller tries again
      return entry.value;
    },
    reload: load,
    forget(key) {
      entries.delete(key);
      misses.delete(key);
      loads.delete(key);
    },
    knows(key) {
      if (loads.has(key)) return true;
      const entry = entries.peek(key) ?? misses.peek(key);
      if (entry === undefined) return false;
      return entry.value !== undefined || ageOf(entry, settings.clock.nowMs()) < settings.freshMs;
    },
  };
}

/** What was read in the future was read before this clock was set back: nobody knows how long ago. */
function ageOf<T>({ readAtMs }: Entry<T>, nowMs: number): number {
  return readAtMs > nowMs ? Number.POSITIVE_INFINITY : nowMs - readAtMs;
}

/** Bounded by size, each entry being 1: a bound by `max` allocates all places at once, which costs every start 5 to 25 ms per cache. */
function createEntries<T>(itemsMax: number): LRUCache<string, Entry<T>> {
  return new LRUCache({ maxSize: itemsMax, sizeCalculation: () => 1 });
}
