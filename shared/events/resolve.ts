import { lookup, Resolver } from "node:dns/promises";
import type { Resolve, TargetRule } from "./target.ts";

/** Of a name, both families together. */
export const RESOLVE_TIMEOUT_MS = 4_000;
const TRY_TIMEOUT_MS = 1_000;
const TRIES = 2;

/**
 * How names that tenants choose are looked up. The system's own look-up holds one of the few threads that a process has for it until it answers, and a name server that is the
 * tenant's may never: the gateway's own look-ups, of its store above all, would wait behind it. So the name servers are asked directly, which takes a socket and no thread.
 * Where any target is allowed, names of the machine count, such as `localhost`, and only the system knows these.
 */
export function createResolve(rule: TargetRule, servers?: readonly string[]): Resolve {
  if (rule === "any") return async (host) => (await lookup(host, { all: true })).map(({ address }) => address);
  return async (host) => {
    const resolver = new Resolver({ timeout: TRY_TIMEOUT_MS, tries: TRIES });
    if (servers !== undefined) resolver.setServers(servers);
    const timer = setTimeout(() => resolver.cancel(), RESOLVE_TIMEOUT_MS);
    try {
      const found = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
      return found.flatMap((each) => (each.status === "fulfilled" ? each.value : []));
    } finally {
      clearTimeout(timer);
    }
  };
}
