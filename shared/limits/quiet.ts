import { type Bucket, worthwhile } from "./bucket.ts";
import { roomIn, waitFor } from "./level.ts";
import type { CreditPolicy } from "./policy.ts";

/** An item that said no is believed for so long: corrections may put credits back, and a day's quota may be raised. */
const BELIEVED_MS = 1_000;
const DAY_BELIEVED_MS = 30_000;
/** So many processes move an item faster than one of them can guess. */
const CROWD = 8;
/**
 * Of many processes that wait for the same credits, each asks at a moment of its own within this share of a lease's time for each of the others. A few lose
 * little by asking often; in a crowd most would find nothing, and one item takes 1,000 writes a second.
 */
const JITTER_SHARE = 0.125;
const CROWD_JITTER_SHARE = 1.5;
const JITTER_MS_MAX = 1_000;
/** After an item was moved by others between every read and write. */
const LOST_QUIET_MS = 20;

/** Whether an item is read before it is moved: a read costs the store half of a write that fails. */
export function isCrowded({ lesseeCount }: Bucket): boolean {
  return lesseeCount >= CROWD;
}

/** Milliseconds for which it is of no use to ask the store; 0 if it should be asked. */
export function quietFor(
  { policy, level, seenAtMs, quietUntilMs }: Bucket,
  asked: { credits: number; shortage: number },
  nowMs: number,
): number {
  const { credits, shortage } = asked;
  const [ageMs, quietMs] = [nowMs - seenAtMs, quietUntilMs - nowMs];
  // What was seen in the future, or is to rest for longer than items do, is from before this clock was set back.
  const isBelieved = ageMs >= 0 && ageMs < believedMs(policy);
  const isQuiet = quietMs > 0 && quietMs <= believedMs(policy);
  const hasRoom = roomIn(policy, level, nowMs * 1_000) >= shortage;
  if (credits <= policy.quota && !isQuiet && (hasRoom || !isBelieved)) return 0;
  // Counted from an empty hand: what is held now may have died by then.
  return Math.max(waitFor(policy, { level, credits }, nowMs * 1_000) / 1_000, isQuiet ? quietMs : 0);
}

/** How long an item that has nothing left is left alone: until a worthwhile lease can be had, and a moment more where others wait for the same. */
export function emptyQuietMs(bucket: Bucket, random: () => number, nowMs: number): number {
  const { policy, level, lesseeCount } = bucket;
  const waitMs = waitFor(policy, { level, credits: worthwhile(bucket) }, nowMs * 1_000) / 1_000;
  const share = isCrowded(bucket) ? CROWD_JITTER_SHARE : JITTER_SHARE;
  const jitterMs = Math.min(JITTER_MS_MAX, random() * share * (lesseeCount - 1) * turnMsOf(bucket, waitMs));
  return Math.min(believedMs(policy), waitMs + jitterMs);
}

/** Whoever lost against others tries again a moment later, and in a crowd when it is its turn. */
export function lostQuietMs(bucket: Bucket, random: () => number, nowMs: number): number {
  return isCrowded(bucket) ? Math.max(LOST_QUIET_MS, emptyQuietMs(bucket, random, nowMs)) : LOST_QUIET_MS;
}

/** In which the credits of a worthwhile lease come back. */
function turnMsOf(bucket: Bucket, waitMs: number): number {
  const { refill } = bucket.policy;
  return refill.kind === "rate" ? (worthwhile(bucket) * refill.gcra.intervalUs) / 1_000 : waitMs;
}

function believedMs({ refill }: CreditPolicy): number {
  return refill.kind === "day" ? DAY_BELIEVED_MS : BELIEVED_MS;
}
