import { REVOCATION_BOUND_MS, REVOCATION_UNMEASURED, type RevocationStore } from "../../shared/keys/revocation.ts";
import type { Log } from "../../shared/log/log.ts";
import type { Round } from "../../shared/schedule/round.ts";
import { type CanaryDeps, measureRevocation } from "./measure-revocation.ts";

/** Two revisions each time: often enough for an alarm, seldom enough for the trail. */
const EVERY_MS = 3_600_000;
/** A schedule's hour is never quite an hour. */
const SLACK_MS = 60_000;

export type CanaryRoundDeps = CanaryDeps & { readonly measurements: RevocationStore; readonly log: Log };

/** One round: measures, unless that was done within the hour. */
export function createCanaryRound(deps: CanaryRoundDeps): Round {
  return async ({ nowMs, signal }) => {
    const last = await deps.measurements.read();
    if (last !== undefined && nowMs - Date.parse(last.at) < EVERY_MS - SLACK_MS) return { hasMore: false };
    const measured = await measureRevocation(deps, signal);
    await deps.measurements.write(measured);
    const { acceptedForMs = 0, problem } = measured;
    if (problem !== undefined) deps.log("warn", REVOCATION_UNMEASURED, { problem, acceptedForMs });
    if (acceptedForMs > REVOCATION_BOUND_MS) deps.log("error", "a revoked key was taken for longer than is promised", { acceptedForMs });
    return { hasMore: false };
  };
}
