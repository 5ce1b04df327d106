import { dayOf } from "./level.ts";

/**
 * The items of the policies that an owner may have, as policy.ts names them; a day's has an item of its own each day. Those of `concurrency` are what a version of
 * another form has left, which replaced the whole item: two forms in one item would undo each other for as long as gateways of both versions serve.
 */
const POLICIES = ["requests", "tokens", "slots", "concurrency", "webhooks"] as const;
const DAILY = "daily";
/** Older ones were tidied away by their `ttl`, which stores follow within days. */
const DAYS_BACK = 7;
/** A clock ahead may have begun tomorrow's. */
const DAYS_AHEAD = 1;

export const counterOwner = {
  tenant: (id: string) => id,
  key: (id: string) => `key#${id}`,
} as const;

/** The keys of all items that may count an owner's limits. They are named one by one: a prefix such as `key#` may be a tenant's and everybody's. */
export function counterKeysOf(owner: string, nowMs: number): string[] {
  const today = dayOf(nowMs * 1_000);
  const days = Array.from({ length: DAYS_BACK + 1 + DAYS_AHEAD }, (_, place) => today - DAYS_BACK + place);
  return [...POLICIES.map((name) => `${owner}#${name}`), ...days.map((day) => `${owner}#${DAILY}#${day}`)];
}
