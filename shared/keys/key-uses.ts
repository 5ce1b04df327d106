import { LRUCache } from "lru-cache";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../log/log.ts";

/** Where it is kept when a key was last used. */
export type KeyUseStore = {
  /** Writes the instant, unless one after `unlessAfterMs` is there; whether it did, nobody needs to know. */
  readonly put: (use: KeyUse, unlessAfterMs: number) => Promise<void>;
  /** ISO instants by key id, of those of a tenant's keys between the two ids. */
  readonly between: (tenant: string, firstId: string, lastId: string) => Promise<ReadonlyMap<string, string>>;
};

export type KeyUse = { readonly tenant: string; readonly keyId: string; readonly atMs: number };

/** The partition of a tenant's uses: beside the keys, but no revision of theirs, since nobody changes anything by using one. */
export const keyUsesKey = (tenant: string) => `key-use#${tenant}`;

/** At most one write per key in this time, by one process and by all of them together. */
export const USE_LAG_MS = 15 * 60_000;
const KEYS_MAX = 50_000;
/** Writes at once; a key that finds no room is noted by its next request. */
const WRITES_MAX = 4;

/** Notes that a key was used: a look into a map, and now and then a write that nobody waits for. */
export function createKeyUses({ store, clock, log }: { store: Pick<KeyUseStore, "put">; clock: Clock; log: Log }) {
  // Bounded by size: `max` would allocate all places when the process starts.
  const notedAtMs = new LRUCache<string, number>({ maxSize: KEYS_MAX, sizeCalculation: () => 1 });
  let writes = 0;
  return function noteUse({ keyId, tenant }: Pick<KeyUse, "keyId" | "tenant">): void {
    const atMs = clock.nowMs();
    if (atMs - (notedAtMs.get(keyId) ?? Number.NEGATIVE_INFINITY) < USE_LAG_MS || writes >= WRITES_MAX) return;
    notedAtMs.set(keyId, atMs);
    writes += 1;
    store
      .put({ keyId, tenant, atMs }, atMs - USE_LAG_MS)
      // Not worth a second attempt: the next one comes in a quarter of an hour.
      .catch((error) => log("warn", "a key's last use was not noted", { keyId, error }))
      .finally(() => {
        writes -= 1;
      });
  };
}
