import { Failure } from "../../shared/base/failure.ts";
import { fallbackName, whyNoFallback } from "../../shared/models/fallback.ts";
import type { Dtype, Fallback, ReadyVersion } from "../../shared/models/version.ts";
import type { Candidate, RunDeps } from "./run.ts";
import { type Call, nativeVersionOf, poolOf } from "./serve.ts";

/** Where a version may be answered: in its own place, or in that of a fallback. */
export type Place = { readonly kind: "own" } | { readonly kind: "fallback"; readonly fallback: Fallback };

export type Found =
  | { readonly kind: "found"; readonly candidate: Candidate }
  | { readonly kind: "no pool"; readonly pool: string; readonly failure: Failure }
  | { readonly kind: "unfit"; readonly fallback: string; readonly reason: string };

const OWN: readonly Place[] = [{ kind: "own" }];

/** In the order in which they are asked. A version that stands in brings its own place, not its fallbacks: one level, so no chains and no loops. */
export function candidatePlaces({ placement }: ReadyVersion): readonly Place[] {
  const { fallbacks } = placement;
  if (fallbacks === undefined) return OWN;
  return [...OWN, ...fallbacks.map((fallback) => ({ kind: "fallback", fallback }) as const)];
}

/** Whether it is worth leaving time for a place, as far as is known without asking anybody. */
export function isWithinReach(deps: RunDeps, own: ReadyVersion, place: Place): boolean {
  if (place.kind === "own") return true;
  const { fallback } = place;
  if ("version" in fallback) return true;
  const { pool, dtype } = fallback;
  const isBlocked = deps.breakers.isBlocked({ pool, model: own.model, version: own.number, dtype });
  return deps.pools.has(pool) && whyNoFile(own, dtype) === undefined && !isBlocked;
}

type Wanted = { readonly own: ReadyVersion; readonly place: Place };

/** Finds what stands behind a place. What publishing has checked is checked again, since it costs little and a wrong answer would cost much. */
export async function findCandidate(deps: RunDeps, call: Call, { own, place }: Wanted): Promise<Found> {
  if (place.kind === "own") return onPool(deps, own, own.placement);
  const { fallback } = place;
  const unfit = (reason: string) => ({ kind: "unfit", fallback: fallbackName(fallback), reason }) as const;
  if (!("version" in fallback)) {
    const reason = whyNoFile(own, fallback.dtype);
    return reason === undefined ? onPool(deps, own, fallback) : unfit(reason);
  }
  try {
    const version = await otherVersion(deps, call, { own, number: fallback.version });
    const reason = whyNoFallback(own.facts, version.facts);
    return reason === undefined ? onPool(deps, version, version.placement) : unfit(reason);
  } catch (cause) {
    if (cause instanceof Failure) return unfit(cause.message); // it is not there, or the store that knows is away
    throw cause;
  }
}

async function otherVersion(deps: RunDeps, call: Call, { own, number }: { own: ReadyVersion; number: number }): Promise<ReadyVersion> {
  const reference = `${own.model}@${number}`;
  return nativeVersionOf(await deps.catalog.resolve({ reference, caller: call.principal, unit: call.unit }));
}

function onPool(deps: RunDeps, version: ReadyVersion, place: { readonly pool: string; readonly dtype: Dtype }): Found {
  try {
    return { kind: "found", candidate: { version, pool: poolOf(deps, version, place.pool), dtype: place.dtype } };
  } catch (failure) {
    if (failure instanceof Failure) return { kind: "no pool", pool: place.pool, failure };
    throw failure;
  }
}

/** Files that intake has not seen, or could not run, are not asked. */
function whyNoFile({ facts }: ReadyVersion, dtype: Dtype): string | undefined {
  if (!facts.dtypes.includes(dtype)) return `the version has no file for ${dtype}`;
  return facts.drift?.find((each) => each.dtype === dtype)?.error;
}
