import { Failure, type FailureCode } from "../../shared/base/failure.ts";
import type { CallLimits } from "../../shared/inference/contract.ts";
import type { Dtype, ReadyVersion } from "../../shared/models/version.ts";
import type { Target } from "../catalog.ts";
import type { Deps, Pool } from "../deps.ts";
import type { BreakerLook } from "./breaker.ts";
import { candidatePlaces, findCandidate, isWithinReach, type Place } from "./candidates.ts";
import { type Call, leftMs, nativeVersionOf, remainingMs } from "./serve.ts";

/** What can answer: a version, on a pool of this gateway, by one of its files. */
export type Candidate = { readonly version: ReadyVersion; readonly pool: Pool; readonly dtype: Dtype };

/** What finding and asking candidates touches. */
export type RunDeps = Pick<Deps, "breakers" | "catalog" | "clock" | "health" | "log" | "pools">;

export type Chosen = {
  readonly candidate: Candidate;
  /** Why it is not the version's own place that answers, such as `gpu unavailable`; absent if it is. */
  readonly degraded: string | undefined;
};

export type Ran<T> = Chosen & { readonly value: T };

export type RunPlan<T> = {
  readonly target: Target;
  /** Asks one candidate. It may throw what it likes: only `HANDED_OVER` codes go on to the next. */
  readonly attempt: (candidate: Candidate, limits: CallLimits) => Promise<T>;
  /** Absent, the request's own time. A stream whose head has to leave before its first event has to know by then who serves. */
  readonly decideWithinMs?: number;
};

export type Running<T> = {
  readonly ran: Promise<Ran<T>>;
  /** Ends the choice: nothing is handed over any more. Answers who was asked last; undefined if nobody was yet, and then nobody will be. */
  readonly decide: () => Chosen | undefined;
};

/**
 * A candidate that is not the last gets at most this share of the time that is left. Half: a fallback is the slower place as a rule, so it gets no less time than all before
 * it had together, and however many come before it, there is always something left.
 */
export const TIME_SHARE = 0.5;
/** With less time than this, in milliseconds, a fallback is not worth asking. */
export const FALLBACK_MS_MIN = 50;

/** What the next candidate may do better; everything else is true wherever the request goes. The words stand in `Weir-Degraded`. */
const HANDED_OVER = {
  unavailable: "unavailable",
  overloaded: "overloaded",
  engine_failed: "failed",
  timeout: "timeout",
} as const satisfies Partial<Record<FailureCode, string>>;

type Why = (typeof HANDED_OVER)[keyof typeof HANDED_OVER] | "open";
type Miss = { readonly pool: string; readonly why: Why; readonly failure: Failure };

/** Runs a request on the first candidate that can: the version's own place, then its fallbacks, one attempt each. */
export function runInOrder<T>(deps: RunDeps, call: Call, plan: RunPlan<T>): Promise<Ran<T>> {
  return startInOrder(deps, call, plan).ran;
}

/** The same, for those who may have to say who serves before it is known. */
export function startInOrder<T>(deps: RunDeps, call: Call, plan: RunPlan<T>): Running<T> {
  const order: Order<T> = { deps, call, plan, startedAtMs: deps.clock.nowMs(), misses: [], asked: undefined, isDecided: false };
  return {
    ran: run(order),
    decide() {
      order.isDecided = true;
      return order.asked;
    },
  };
}

type Order<T> = {
  readonly deps: RunDeps;
  readonly call: Call;
  readonly plan: RunPlan<T>;
  readonly startedAtMs: number;
  readonly misses: Miss[];
  asked: Chosen | undefined;
  isDecided: boolean;
};

async function run<T>(order: Order<T>): Promise<Ran<T>> {
  const { deps, call, plan } = order;
  const own = nativeVersionOf(plan.target);
  const places = candidatePlaces(own);
  remainingMs(deps, call); // a request whose time is over is refused as such
  for (const [index, place] of places.entries()) {
    const candidate = await candidateAt(order, own, place);
    if (call.signal.aborted) throw new Failure("cancelled", "The caller left.");
    if (order.isDecided) break;
    const timeoutMs = timeFor(order, own, places.slice(index + 1));
    if (index > 0 && timeoutMs < FALLBACK_MS_MIN) break;
    const ran = candidate && (await ask(order, candidate, timeoutMs));
    if (ran === undefined) continue;
    deps.health.answered(own.model, own.number);
    return ran;
  }
  noteHealth(order, own);
  throw failureOf(order.misses);
}

async function candidateAt<T>(order: Order<T>, own: ReadyVersion, place: Place): Promise<Candidate | undefined> {
  const { deps, call, misses } = order;
  const found = await findCandidate(deps, call, { own, place });
  if (found.kind === "found") return found.candidate;
  if (found.kind === "no pool") misses.push({ pool: found.pool, why: "unavailable", failure: found.failure });
  else deps.log("warn", "a fallback cannot be used", { requestId: call.requestId, model: own.model, version: own.number, ...found });
  return undefined;
}

/** Everything that is left for the last one that can be asked, a share of it for the others. */
function timeFor<T>(order: Order<T>, own: ReadyVersion, later: readonly Place[]): number {
  const { deps, call, plan, startedAtMs } = order;
  const left = leftMs(deps, call);
  if (!later.some((place) => isWithinReach(deps, own, place))) return left;
  const undecidedMs = (plan.decideWithinMs ?? Number.POSITIVE_INFINITY) - (deps.clock.nowMs() - startedAtMs);
  return Math.ceil(Math.min(left, Math.max(FALLBACK_MS_MIN / TIME_SHARE, undecidedMs)) * TIME_SHARE);
}

/** Undefined: the next one is to be asked. */
async function ask<T>(order: Order<T>, candidate: Candidate, timeoutMs: number): Promise<Ran<T> | undefined> {
  const { deps, call, plan, misses } = order;
  const { version, pool, dtype } = candidate;
  const passage = deps.breakers.pass({ pool: pool.name, model: version.model, version: version.number, dtype });
  if ("blockedBy" in passage) {
    misses.push({ pool: pool.name, why: "open", failure: blocked(candidate, passage.blockedBy) });
    return undefined;
  }
  const chosen: Chosen = { candidate, degraded: misses.length === 0 ? undefined : degradedBy(misses) };
  order.asked = chosen;
  try {
    const value = await plan.attempt(candidate, { signal: call.signal, timeoutMs });
    passage.succeeded();
    return { ...chosen, value };
  } catch (cause) {
    passage.failed(cause, timeoutMs);
    noteMiss(order, candidate, cause);
    return undefined;
  }
}

/** Throws what no other candidate could do better. */
function noteMiss<T>({ deps, call, plan, misses }: Order<T>, { version, pool }: Candidate, cause: unknown) {
  if (!(cause instanceof Failure)) throw cause;
  const { code, message } = cause;
  if (!isHandedOver(code)) {
    // The caller asked for another version, which can do this: an older one that cannot is passed over.
    if (code === "invalid_request" && version.number !== plan.target.version.number) return;
    throw cause;
  }
  misses.push({ pool: pool.name, why: HANDED_OVER[code], failure: cause });
  // If a fallback answers, this line is all that is left of why the pool could not.
  if (plan.target.version.state === "ready" && plan.target.version.placement.fallbacks !== undefined)
    deps.log("warn", "a pool could not answer", { requestId: call.requestId, pool: pool.name, code, reason: message, error: cause.cause });
}

function isHandedOver(code: FailureCode): code is keyof typeof HANDED_OVER {
  return Object.hasOwn(HANDED_OVER, code);
}

function degradedBy(misses: readonly Miss[]): string {
  return misses.map(({ pool, why }) => `${pool} ${why}`).join(", ");
}

function blocked({ version, pool }: Candidate, { reason = "", retryInMs }: BreakerLook): Failure {
  const message = `The model '${version.model}@${version.number}' is not called on pool '${pool.name}' for a while, since it failed there: ${reason}`;
  return new Failure("unavailable", message, { retryAfterMs: retryInMs });
}

/**
 * What a caller is told when nobody could answer: the first failure, because it is of the place that should have answered, with what became of the fallbacks,
 * and the earliest time at which any of them is worth asking again.
 */
function failureOf(misses: readonly Miss[]): Failure {
  const [first, ...others] = misses;
  if (first === undefined) throw new Error("a version's own place is always asked or missed");
  if (others.length === 0) return first.failure;
  const { code, message } = first.failure;
  const retryAfterMs = Math.min(...misses.map(({ failure }) => failure.retryAfterMs ?? Number.POSITIVE_INFINITY));
  return new Failure(code, `${message} Its fallbacks cannot answer either: ${degradedBy(others)}.`, {
    ...(Number.isFinite(retryAfterMs) ? { retryAfterMs } : {}),
    cause: new AggregateError(
      misses.map(({ failure }) => failure),
      degradedBy(misses),
    ),
  });
}

/** Functions say `engine_failed` with a time for versions that they have set aside. */
function noteHealth<T>({ deps, misses }: Order<T>, { model, number }: ReadyVersion) {
  const aside = misses[0]?.failure;
  if (aside?.code !== "engine_failed" || aside.retryAfterMs === undefined) return;
  deps.health.setAside(model, number, { reason: aside.message, forMs: aside.retryAfterMs });
}
