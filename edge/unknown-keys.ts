import type { Clock } from "../shared/base/clock.ts";
import { Failure } from "../shared/base/failure.ts";
import { bucketOf } from "../shared/base/hash.ts";
import { canonicalAddress } from "../shared/keys/address.ts";
import { isMarkedKeyId, type Peppers } from "../shared/keys/key.ts";

/** Callers share lanes by their network, so that who makes keys up in one place takes nothing from others. */
const LANES = 32;
const LOOKS_PER_SECOND = 8;
const LOOKS_AT_ONCE = 32;
const RETRY_AFTER_MS = 1_000;

const LOOK_MS = 1_000 / LOOKS_PER_SECOND;
/** Groups of an IPv6 address that a caller cannot choose. */
const NETWORK_GROUPS = 4;

/**
 * Whether an id that this process knows nothing of may be looked up. One with the installation's mark always may. One without may be a key from before there were marks, or
 * made up by somebody who wants us to read: of those this many are looked up, by each process at most `LANES · (LOOKS_AT_ONCE + LOOKS_PER_SECOND · seconds)`.
 * Fails with `rate_limited`: the key may be one all the same, and is let in a moment later.
 */
export type AdmitUnknown = (id: string, address: string | undefined) => void;

export function createUnknownKeys({ clock, peppers }: { readonly clock: Clock; readonly peppers: Peppers }): AdmitUnknown {
  const fullUntilMs = new Array<number>(LANES).fill(0);
  return (id, address) => {
    if (isMarkedKeyId(id, peppers)) return;
    const lane = bucketOf(networkOf(address ?? ""), LANES);
    const nowMs = clock.nowMs();
    const [fullMs = 0, latestMs] = [fullUntilMs[lane], nowMs + LOOKS_AT_ONCE * LOOK_MS];
    // Later than ever lies ahead only what is from before this clock was set back.
    const untilMs = (fullMs > latestMs ? nowMs : Math.max(nowMs, fullMs)) + LOOK_MS;
    if (untilMs > latestMs)
      throw new Failure("rate_limited", "Too many keys that are not known here come from there. Try again.", {
        retryAfterMs: RETRY_AFTER_MS,
      });
    fullUntilMs[lane] = untilMs;
  };
}

/** What a caller has of the internet: an IPv4 address, or the first half of an IPv6 one. */
function networkOf(text: string): string {
  const canonical = canonicalAddress(text);
  if (canonical === undefined) return "";
  if (canonical.family === "ipv4") return canonical.address;
  const [before = [], after = []] = canonical.address.split("::").map((part) => part.split(":").filter((group) => group !== ""));
  const zeros = Array<string>(Math.max(0, 8 - before.length - after.length)).fill("0");
  return [...before, ...zeros, ...after].slice(0, NETWORK_GROUPS).join(":");
}
