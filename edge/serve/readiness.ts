import { Failure } from "../../shared/base/failure.ts";
import type { ReadyVersion } from "../../shared/models/version.ts";
import { candidatePlaces, isWithinReach } from "./candidates.ts";
import type { RunDeps } from "./run.ts";

/** Why nobody here would answer a version, as far as this process knows without asking; undefined if somebody would. */
export function whyNotReady(deps: RunDeps, version: ReadyVersion): string | undefined {
  const health = deps.health.of(version.model, version.number);
  if (!health.isReady) return health.reason;
  const { pool } = version.placement;
  const [, ...fallbacks] = candidatePlaces(version);
  if (deps.pools.has(pool) || fallbacks.some((place) => isWithinReach(deps, version, place))) return undefined;
  return `its pool '${pool}' is not at this gateway`;
}

export function assertReady(deps: RunDeps, version: ReadyVersion): void {
  const reason = whyNotReady(deps, version);
  if (reason !== undefined) throw new Failure("unavailable", `The model '${version.model}@${version.number}' is not ready: ${reason}`);
}
